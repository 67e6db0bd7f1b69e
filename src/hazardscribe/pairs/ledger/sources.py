"""Photos by the names that a ledger gives them: beside it, in a folder, or in an archive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from hazardscribe.errors import PhotoError
from hazardscribe.names import readable
from hazardscribe.pairs.finder import PhotoFinder, has_photo_suffix, only
from hazardscribe.pairs.ledger.zipped import Archive
from hazardscribe.pairs.photo_file import open_photo
from hazardscribe.pairs.photo_limits import DEFAULT_LIMITS
from hazardscribe.pairs.sentences import say
from hazardscribe.pairs.tables.label_studio_results import is_view

_IN_ARCHIVE = "\0"  # never part of a path


def key_name(key: str) -> str:
    """The file's name in a key."""
    return readable(key.rpartition(_IN_ARCHIVE)[2].replace("\\", "/").rpartition("/")[2])


class LedgerPhotos(PhotoFinder):
    """A finder that also looks into zip archives. What `find` gives is a key that `read` takes."""

    def __init__(
        self,
        base: Path | None,
        photos: Path | None,
        archives: Sequence[tuple[Archive, str]] = (),
        skip: Sequence[Path] = (),
    ) -> None:
        """Look into the archives, each from a folder within, then as `PhotoFinder` does."""
        super().__init__(base, photos, skip=skip)
        self._archives = list(archives)

    def _find(self, name: str) -> str | tuple[str, str]:
        if packed := self._packed(name, Archive.find):
            return packed
        known = super()._find(name)
        if isinstance(known, str) or known[0] != "photo_missing" or not self._archives:
            return known
        if packed := self._packed(name, Archive.find_stem):
            return packed
        places = [str(archive.path) for archive, _ in self._archives]
        where = ", ".join(dict.fromkeys([*places, *self._roots]))
        return "photo_missing", say("photo_missing", where=where)

    def _packed(
        self, name: str, find: Callable[[Archive, str, str], list[str]]
    ) -> str | tuple[str, str] | None:
        """The photo in the first archive that has any of that name."""
        for archive, folder in self._archives:
            if found := find(archive, name.strip().strip("\"'"), folder):
                member = only(found)
                return f"{archive.path}{_IN_ARCHIVE}{member}" if isinstance(member, str) else member
        return None

    def all_keys(self) -> list[str]:
        """Keys of all photos in the archives and the folder that it looks through as a whole."""
        keys = [
            f"{archive.path}{_IN_ARCHIVE}{name}"
            for archive, _ in self._archives
            for name in archive.names
        ]
        keys += [path for paths in self._names("").values() for path in paths]
        known = frozenset(keys)
        return [key for key in keys if has_photo_suffix(key) and not is_view(key, known)]

    def _everything(self) -> list[str]:
        return [*super()._everything(), *self.all_keys()]

    def read(self, key: str) -> bytes:
        """The photo's bytes.

        Raises:
            PhotoError: it is missing, too large or damaged.
        """
        where, mark, member = key.partition(_IN_ARCHIVE)
        if mark:
            return next(a for a, _ in self._archives if str(a.path) == where).read(member)
        name = Path(key).name
        try:
            with open_photo(key, name, DEFAULT_LIMITS) as stream:
                return stream.read()
        except OSError as error:
            raise PhotoError(
                "missing", f"{name}: cannot be read ({error.strerror or error})"
            ) from error
