"""Describing that may be killed, and shared out to several processes: a journal of lines.

`OUT.jsonl` is the result and, of one process, the journal too: a line a photo, flushed as it
comes. Each of several processes takes every n-th photo and writes `.OUT.jsonl.part-RANK` beside it;
the one that finishes last puts all lines together in the order of the photos, renames that into
place and deletes the parts. Nothing is agreed upon between the processes, so any launcher does that
sets RANK and WORLD_SIZE, and none waits for another.

Run again with `resume`, a photo that has a whole line in the result or in any part is not described
again, whatever the number of processes was, and whether it is named from here or from the root. A
line cut off in the middle is no line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from glob import escape
from pathlib import Path
from typing import Any

from hazardscribe.describing.description_files import check_out
from hazardscribe.describing.sources import place_of
from hazardscribe.errors import InputError
from hazardscribe.files import locked, write_whole

Record = dict[str, Any]


class Journal:
    """What has been described of some photos, by this process and by others.

    Args:
        out: the `.jsonl` file. photos: all photos, for all processes. rank, world: of the process.
        resume: whether lines that are there already are kept.

    Raises:
        InputError: if `out` is no `.jsonl`, cannot be written, is somebody else's, or holds
            descriptions that are not to be kept.
    """

    def __init__(self, out: Path, photos: Sequence[str], rank: int, world: int, resume: bool):
        if out.suffix.lower() != ".jsonl":
            raise InputError(
                f"--out {out}: several processes, and --resume, need a .jsonl file; "
                "`hazardscribe export` makes a workbook of it"
            )
        check_out(out)
        self._out, self._photos, self._several = out, photos, world > 1
        self._own = self._part(rank) if self._several else out
        mine = photos[rank::world]
        if resume:
            done = self._done()
            mine = [photo for photo in mine if place_of(photo) not in done]
        elif mine and self._several and (out.exists() or self._own.exists()):
            raise InputError(
                f"--out {out}: descriptions of an earlier run are here. Go on with --resume, or "
                "name another file."
            )
        self._resume = resume
        self.todo = mine
        """The photos that this process is to describe, in order."""

    def write(self, records: Iterable[Record]) -> Iterator[Record]:
        """Write the records of `todo` as they come, hand them on, and close the account.

        Raises:
            InputError: if the file cannot be written.
        """
        try:
            self._out.parent.mkdir(parents=True, exist_ok=True)
            if self._resume:
                _cut_half_line(self._own)
            with self._own.open("ab" if self._resume else "wb") as file:
                for row in records:
                    file.write(_line(row))
                    file.flush()
                    yield row
            if self._parts():
                self._put_together()
        except OSError as error:
            raise InputError(
                f"--out {self._out}: could not be written: {error.strerror}"
            ) from error

    def _part(self, rank: int | str) -> Path:
        return self._out.with_name(f".{self._out.name}.part-{rank}")

    def _parts(self) -> list[Path]:
        return sorted(self._out.parent.glob(escape(self._part("").name) + "*"))

    def _done(self) -> dict[str, tuple[Path, int]]:
        """Photo, as `place_of` tells it -> the file and place of its first whole line."""
        found: dict[str, tuple[Path, int]] = {}
        for path in (self._out, *self._parts()):
            for place, line in _whole_lines(path):
                photo = place_of(json.loads(line)["photo"])
                found.setdefault(photo, (path, place))
        return found

    def _put_together(self) -> None:
        """All lines in one file, if this process is the one that made them complete."""
        lock = self._out.with_name(f".{self._out.name}.lock")
        with locked(lock):
            parts = self._parts()
            done = self._done()
            wanted = dict.fromkeys(map(place_of, self._photos))
            if not parts or any(photo not in done for photo in wanted):
                return
            others = [photo for photo in done if photo not in wanted]  # of earlier runs
            places = [done[photo] for photo in (*others, *wanted)]
            write_whole(self._out, lambda draft: _copy_lines(places, draft))
            for part in parts:
                part.unlink()
            lock.unlink(missing_ok=True)


def _line(row: Record) -> bytes:
    return (json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")


def _whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Place and text of each line that ends; nothing where there is no file.

    Raises:
        InputError: if a line is no record of `describe`.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        place = 0
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                good = isinstance(json.loads(line)["photo"], str)
            except (ValueError, KeyError, TypeError):
                good = False
            if not good:
                raise InputError(
                    f"{path}: line {number} is no record of `describe`. Delete that line and run "
                    "again with --resume."
                )
            yield place, line
            place += len(line)


def _cut_half_line(path: Path) -> None:
    """Take off what a killed process wrote of its last line."""
    if path.exists():
        end = sum(len(line) for _, line in _whole_lines(path))
        with path.open("r+b") as file:
            file.truncate(end)


def _copy_lines(places: Sequence[tuple[Path, int]], target: Path) -> None:
    files = {path: path.open("rb") for path, _ in places}
    try:
        with target.open("wb") as draft:
            for path, place in places:
                files[path].seek(place)
                draft.write(files[path].readline())
    finally:
        for file in files.values():
            file.close()
