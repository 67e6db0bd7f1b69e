"""The photos of the ledger: files beside the database, of which nothing comes from the client.

    photos/3f/3f9c…e1.jpg         upright, longest side 2048 pixels, JPEG
    photos/3f/3f9c…e1.thumb.jpg   longest side 320 pixels, for lists
    photos/.open/3f9c…e1          empty: this photo's record is just being made, or deleted

Every photo is unpacked by the one loader and packed again, so what is kept is pixels alone: no
EXIF, no position, no text hidden in the file, and nothing that a decoder could stumble over. Names
are random; the database says which record a photo belongs to. A photo is on the disk before its
record is committed, so a crash in between leaves a file that no record names, never a record
without its photo; `sweep` removes such files. It knows them by a mark in `.open`, which lies there
until the record is committed: a photo without a mark was acknowledged, and stays also where the
database does not know it, as after an older one was restored beside it.
"""

from __future__ import annotations

import io
import logging
import os
import re
import secrets
import stat
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal

from hazardscribe.errors import InputError
from hazardscribe.files import flush, write_whole
from hazardscribe.pairs.photo import load_photo
from hazardscribe.pairs.photo_limits import DEFAULT_LIMITS, PhotoLimits
from hazardscribe.serving.store.errors import unavailable

log = logging.getLogger(__name__)

BOUND, THUMB = 2048, 320
"""Longest sides in pixels: the model looks at less than the first, a list shows the second."""

QUALITY = 90
GRACE = 3600.0
"""Seconds for which a file without a record may belong to one that is just being confirmed."""

EXPORT = ".export-"
OPEN = ".open"
MARK = "store-id"
"""Name of the file that says which database the photos go with."""

Size = Literal["full", "thumb"]
_ENDINGS: dict[Size, str] = {"full": ".jpg", "thumb": ".thumb.jpg"}
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Packed:
    """A photo ready to be kept, as JPEG files in memory."""

    full: bytes
    thumb: bytes


def pack(photo: bytes, limits: PhotoLimits = DEFAULT_LIMITS) -> Packed:
    """Unpack a photo within limits and pack its pixels again, upright.

    Raises:
        PhotoError: it cannot be used.
    """
    image = load_photo(photo, bound=BOUND, limits=limits)
    full, thumb = io.BytesIO(), io.BytesIO()
    image.save(full, "JPEG", quality=QUALITY)
    image.thumbnail((THUMB, THUMB))
    image.save(thumb, "JPEG", quality=QUALITY - 10)
    return Packed(full.getvalue(), thumb.getvalue())


class PhotoFolder:
    """Where the photos lie."""

    def __init__(self, folder: Path) -> None:
        """Make the folder, if it is not there.

        Raises:
            InputError: it cannot be made.
        """
        self.folder = Path(folder).absolute()
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.folder / OPEN).mkdir(mode=0o700, exist_ok=True)
            flush(self.folder.parent)
            others = stat.S_IMODE(self.folder.stat().st_mode) & 0o077
        except OSError as error:
            raise _unusable(self.folder, error) from error
        if others and os.name == "posix":
            log.warning(
                "%s: others on this machine may read the photos there; `chmod 700` keeps them to "
                "the server",
                self.folder,
            )

    def belong_to(self, store: str, known: int = 0) -> None:
        """Mark a new folder as the store's own; refuse one that is another store's, or an empty one
        in place of that with the photos: a disk that is not mounted leaves such a folder.

        Args:
            known: photos that the database knows.

        Raises:
            InputError: the photos belong to another store, or are not here, or the folder cannot be
                written.
        """
        mark = self.folder / MARK
        try:
            if not mark.exists():
                if known:
                    raise InputError(
                        f"{self.folder}: is not the folder of the {known} photos in this ledger, "
                        f"as it has no file {MARK}. Is its disk mounted? Name the right folder, or "
                        f"bring the photos back from the backup. To go on without them, write "
                        f"{store} into {mark}."
                    )
                text = partial(Path.write_text, data=f"{store}\n", encoding="ascii")
                write_whole(mark, text, rivals=True)  # two servers may start at once
                flush(self.folder)
            found = mark.read_text(encoding="ascii", errors="replace").strip()
        except OSError as error:
            raise _unusable(self.folder, error) from error
        if found != store:
            raise InputError(
                f"{self.folder}: these photos belong to another store (its id is {found}, this "
                f"database's is {store}). Name the database that goes with them, or another "
                "folder; nothing was changed."
            )

    def path(self, photo: str, size: Size = "full") -> Path:
        """The file of a photo.

        Raises:
            ValueError: `photo` is no id of a photo.
        """
        if not _ID.fullmatch(photo):
            raise ValueError(f"not an id of a photo: {photo!r}")
        return self.folder / photo[:2] / f"{photo}{_ENDINGS[size]}"

    def add(self, photos: Sequence[Packed]) -> list[str]:
        """Keep photos: all of them on the disk when this returns, or none.

        They are open: `settle` them when their record is committed, else `remove` them.

        Returns:
            Their ids.

        Raises:
            StoreUnavailableError: the disk is full, or cannot be written.
        """
        added = [secrets.token_hex(16) for _ in photos]
        try:
            self.mark_open(added)
            for name, photo in zip(added, photos, strict=True):
                place = self.path(name).parent
                if not place.is_dir():
                    place.mkdir(exist_ok=True)
                    flush(self.folder)
                contents: dict[Size, bytes] = {"thumb": photo.thumb, "full": photo.full}
                for size, content in contents.items():
                    write_whole(self.path(name, size), partial(Path.write_bytes, data=content))
            for place in {self.path(name).parent for name in added}:
                flush(place)
        except BaseException as error:
            self.remove(added)
            if isinstance(error, OSError):
                raise unavailable(error) from error
            raise
        return added

    def mark_open(self, photos: Sequence[str]) -> None:
        """Mark photos whose record is about to be made or deleted: if neither `settle` nor `remove`
        follows, `sweep` asks the database what became of them.

        Raises:
            OSError: a mark cannot be written.
        """
        for photo in photos:
            (self.folder / OPEN / photo).touch(mode=0o600)
        if photos:
            flush(self.folder / OPEN)

    def settle(self, photos: Sequence[str]) -> None:
        """The record of these photos is committed: they stay."""
        for photo in photos:
            with suppress(OSError):  # then `sweep` finds the record
                (self.folder / OPEN / photo).unlink(missing_ok=True)

    def remove(self, photos: Collection[str]) -> None:
        """Remove photos; one that cannot be removed now keeps its mark for `sweep`."""
        for photo in photos:
            try:
                for size in _ENDINGS:
                    self.path(photo, size).unlink(missing_ok=True)
            except OSError as error:
                log.warning("photo %s could not be removed yet: %s", photo, error)
            else:
                self.settle([photo])

    def open_photos(self, grace: float = GRACE) -> list[str]:
        """Photos that have been marked for more than `grace` seconds."""
        marks = (path for path in (self.folder / OPEN).glob("*") if _ID.fullmatch(path.name))
        return [path.name for path in marks if _age(path) >= grace]

    def scraps(self, grace: float = GRACE) -> Iterator[Path]:
        """Unfinished drafts and exports older than `grace` seconds: no photos of anybody."""
        for path in chain(self.folder.glob("??/.*"), self.folder.glob(f"{EXPORT}*")):
            if _age(path) >= grace:
                yield path

    def ids(self) -> set[str]:
        """The photos whose file is there."""
        end = _ENDINGS["full"]
        names = (path.name.removesuffix(end) for path in self.folder.glob(f"??/*{end}"))
        return {name for name in names if _ID.fullmatch(name)}

    def age(self, photo: str) -> float:
        """Seconds since a photo was written; below 0 where its file is gone."""
        return _age(self.path(photo))

    def check(self) -> None:
        """Return if a photo could be written now.

        Raises:
            StoreUnavailableError: the folder cannot be written.
        """
        # Marks are what every confirmation writes first, and nobody counts this one.
        probe = self.folder / OPEN / "probe"
        try:
            probe.write_bytes(b"0" * 4096)
            probe.unlink(missing_ok=True)
        except OSError as error:
            raise unavailable(error) from error

    def work_folder(self) -> Path:
        """A new folder for files to be handed out; whoever asked removes it, or `sweep` does.

        It lies here because there is room for photos here.

        Raises:
            StoreUnavailableError: it cannot be made.
        """
        try:
            return Path(tempfile.mkdtemp(dir=self.folder, prefix=EXPORT))
        except OSError as error:
            raise unavailable(error) from error


def _age(path: Path) -> float:
    """Seconds since a file was written; below 0 where it is gone, or the clock was set back."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:  # another sweep was faster
        return -1.0


def _unusable(folder: Path, error: OSError) -> InputError:
    return InputError(
        f"{folder}: the folder of the photos cannot be made or written "
        f"({error.strerror or error}). Check the path and its permissions, or name another store."
    )
