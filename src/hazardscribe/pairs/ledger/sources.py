"""Photos by the names that a ledger gives them: beside it, in a folder, or in an archive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hazardscribe.errors import PhotoError
from hazardscribe.names import readable
from hazardscribe.pairs.finder import PhotoFinder, has_photo_suffix, only
from hazardscribe.pairs.ledger.zipped import Archive
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
        plain = name.strip().strip("\"'")
        for archive, folder in self._archives:
            found = archive.find(plain, folder)
            if len(found) == 1:
                return f"{archive.path}{_IN_ARCHIVE}{found[0]}"
            if found:
                return only(found)
        known = super()._find(name)
        if isinstance(known, str) or known[0] != "photo_missing" or not self._archives:
            return known
        for archive, folder in self._archives:
            found = archive.find_stem(plain, folder)
            if len(found) == 1:
                return f"{archive.path}{_IN_ARCHIVE}{found[0]}"
            if found:
                return only(found)
        places = [str(archive.path) for archive, _ in self._archives]
        where = ", ".join(dict.fromkeys([*places, *self._roots]))
        return "photo_missing", say("photo_missing", where=where)

    def all_keys(self) -> list[str]:
        """Keys of all photos in the archives and the folder that it looks through as a whole."""
        keys = [
            f"{archive.path}{_IN_ARCHIVE}{name}"
            for archive, _ in self._archives
            for name in archive.names
        ]
        keys += [path for paths in self._anywhere().values() for path in paths]
        known = frozenset(keys)
        return [key for key in keys if has_photo_suffix(key) and not is_view(key, known)]

    def _files(self) -> list[str]:
        return [*super()._files(), *self.all_keys()]

    def read(self, key: str) -> bytes:
        """The photo's bytes.

        Raises:
            PhotoError: it is missing, too large or damaged.
        """
        where, mark, member = key.partition(_IN_ARCHIVE)
        if mark:
            return next(a for a, _ in self._archives if str(a.path) == where).read(member)
        path = Path(key)
        try:
            size = path.stat().st_size
            if size > DEFAULT_LIMITS.max_bytes:
                raise PhotoError(
                    "too_large",
                    f"{path.name}: {size / 2**20:.1f} MiB is more than the limit of "
                    f"{DEFAULT_LIMITS.max_bytes / 2**20:.0f} MiB; save a smaller copy",
                )
            return path.read_bytes()
        except OSError as error:
            raise PhotoError(
                "missing", f"{path.name}: cannot be read ({error.strerror or error})"
            ) from error
