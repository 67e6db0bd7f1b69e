"""Which photos to describe: those named one by one, in folders, or by patterns."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from hazardscribe.errors import InputError

# Those that cannot be decoded (HEIC, AVIF) get their row, which says how to save them.
_SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".mpo"),
    *(".heic", ".heif", ".avif"),
}


def find_photos(sources: Sequence[str | Path]) -> list[str]:
    """Photos named one by one, by folder (searched through) or by glob, without repetition.

    Each is called as it was named first. Of a folder, hidden files and folders are passed over:
    macOS leaves a `._0.jpg`, which is no photo, beside each `0.jpg` that it copies.

    Raises:
        InputError: if a source names nothing.
    """
    found: dict[str, str] = {}
    for source in map(str, sources):
        path = Path(source)
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if _is_photo(p, path))
            if not inside:
                kinds = ", ".join(sorted(suffix[1:] for suffix in _SUFFIXES))
                raise InputError(f"{source}: the folder holds no photos ({kinds})")
            names = list(map(str, inside))
        elif glob.has_magic(source) and not path.exists():
            # The user's shell may not have expanded it (Windows, quotes).
            matches = map(Path, glob.glob(source, recursive=True))  # noqa: PTH207
            inside = sorted(match for match in matches if match.is_file())
            if not inside:
                raise InputError(f"{source}: matches no file")
            names = list(map(str, inside))
        else:
            # A missing file gets a row that says so: one bad name must not stop the rest.
            names = [source]
        for name in names:
            found.setdefault(place_of(name), name)
    if not found:
        raise InputError("describe: name at least one photo, folder or pattern")
    return list(found.values())


def place_of(photo: str) -> str:
    """What tells whether two names mean one photo: `./a.jpg` is `a.jpg`, from the same folder."""
    return os.path.abspath(photo)  # noqa: PTH100 (links stay: each may be wanted by its name)


def _is_photo(path: Path, folder: Path) -> bool:
    if path.suffix.lower() not in _SUFFIXES:
        return False
    return path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts)
