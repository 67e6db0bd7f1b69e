"""Checksums beside the files of a checkpoint, so that a damaged one is named and never used.

The form is that of `sha256sum`: `sha256sum -c checksums.sha256` in the folder checks it, too. A
checkpoint from elsewhere has no such file and is taken as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from hazardscribe.errors import InputError

CHECKSUMS = "checksums.sha256"


def write_checksums(folder: Path, files: Iterable[Path]) -> None:
    """Write the SHA-256 of files within a folder, in the order of their names."""
    lines = [f"{_digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in sorted(files)]
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8", newline="\n")


def check_checksums(folder: Path, remedy: str, *, all_there: bool) -> None:
    """Compare a folder with its checksums; nothing where it has none.

    Args:
        remedy: what to do about a damaged file, a sentence or more.
        all_there: whether every file that is listed must still be there.

    Raises:
        InputError: naming the first file that is not what was written.
    """
    listed = folder / CHECKSUMS
    if not listed.is_file():
        return
    for line in listed.read_text(encoding="utf-8", errors="replace").splitlines():
        digest, _, name = line.partition("  ")
        path = folder / name
        if not name or folder.resolve() not in path.resolve().parents:
            raise InputError(f"{listed}: line {line[:80]!r} is no checksum. {remedy}")
        if not path.is_file():
            if all_there:
                raise InputError(f"{path}: is missing from a checkpoint that had it. {remedy}")
        elif _digest(path) != digest:
            raise InputError(
                f"{path}: is damaged: its SHA-256 is not the one in {CHECKSUMS}, so a disk or a "
                f"copy has changed it since it was written. {remedy}"
            )


def digest_of(folder: Path, files: Iterable[Path]) -> str:
    """SHA-256 in hex over files within a folder and their names, the same for a copy.

    A file that the checksums list is not read: who loads it compares it with them.
    """
    listed = folder / CHECKSUMS
    lines = listed.read_text(encoding="utf-8").splitlines() if listed.is_file() else []
    known = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    state = hashlib.sha256()
    for path in sorted(files):
        name = path.relative_to(folder).as_posix()
        state.update(f"{known.get(name) or _digest(path)}  {name}\n".encode())
    return state.hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
