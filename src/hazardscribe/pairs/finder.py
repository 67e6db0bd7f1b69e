"""From what a photo cell says to photo files.

Ledgers name photos in every way: with a path of the machine that exported them, without the
folder, in other case, several in one cell. Nothing is ever fetched from the network.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hazardscribe.names import readable
from hazardscribe.pairs.sentences import say

_ADDRESS = re.compile(r"^(?:[a-z][a-z0-9+.-]+://|data:|www\.)", re.IGNORECASE)
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".heic")
"""Suffixes of photo files; a name without one may stand for a file with any of them."""
EMBEDDED = re.compile(r"^(?:=\s*(?:_xlfn\.)?DISPIMG\(|#VALUE!|#REF!|#NAME\?)", re.IGNORECASE)
"""What a cell says that shows a picture instead of naming one."""
_SEPARATORS = re.compile(r"[;；，、,|｜\r\n]+")
_UPLOAD = re.compile(r"/data/upload/(?:.*/)?[0-9a-f]{8}-([^/]+)")
"""Where Label Studio keeps a photo that was uploaded into it: behind a random prefix."""
_NOT_KEPT = re.compile(r"[^-\w.]")
"""What it drops from the name, with spaces made underscores (Django's `get_valid_filename`)."""
_EMPTY = frozenset(
    ("", "/", "\\", "//", "无", "无照片", "无图片", "暂无", "同上", "-", "--", "—", "——", "n/a")
) | frozenset(("na", "nan", "none", "null"))


class PhotoFinder:
    """Finds photo files from the names in a table.

    Relative names start from the photo folder if one is given, then from the table's folder, then
    from the one above it that the user named. A name that is not there is looked for without
    regard to case and Unicode form in its folder, then by its last part anywhere under the photo
    folder. A name without a photo's suffix stands for the one photo that is called so.
    """

    def __init__(
        self,
        base: Path | None,
        photos: Path | None = None,
        above: Path | None = None,
        skip: Sequence[Path] = (),
    ) -> None:
        """Look under `photos` (named by the user, if any), `base` (the table's folder), `above`.

        Names without their folder are not looked for in the folders `skip` (real paths).
        """
        roots = [os.path.abspath(root) for root in (photos, base, above) if root is not None]  # noqa: PTH100
        self._roots = list(dict.fromkeys(roots))
        self._photos = photos
        self._skip = frozenset(map(str, skip))
        self._listed: dict[str, dict[str, list[str]]] = {}
        self._stems: dict[str, dict[str, list[str]]] = {}
        self._uploads: dict[str, list[str]] | None = None

    def split_cell(self, cell: str) -> list[str]:
        """The names in a cell, separated by ; , 、 | or line breaks unless the whole is a file."""
        cell = cell.strip().strip("\ufeff\u200b")
        if cell.startswith("["):
            try:
                names = json.loads(cell)
            except ValueError:
                names = None
            if isinstance(names, list) and all(isinstance(name, str) for name in names):
                return _named(names)
        if not _SEPARATORS.search(cell) or _ADDRESS.match(cell) or EMBEDDED.match(cell):
            return _named([cell])
        found = self.find(cell)
        # What was found by its last part alone may be the last of several names.
        path = cell.replace("\\", "/").lstrip("./")
        last = path.rpartition("/")[2]
        if isinstance(found, str) and (
            _SEPARATORS.search(last) or name_key(Path(found).as_posix()).endswith(name_key(path))
        ):
            return [cell]
        return _named(_SEPARATORS.split(cell))

    def find(self, name: str) -> str | tuple[str, str]:
        """Absolute path of the photo file, or (reason code, detail)."""
        found = self._find(name)
        if isinstance(found, tuple) and (upload := _UPLOAD.fullmatch(name)) is not None:
            before = self._before_upload().get(_uploaded(upload[1]), [])
            return only(before) if before else found
        return found

    def _find(self, name: str) -> str | tuple[str, str]:
        name = name.strip().strip("\"'")
        if _ADDRESS.match(name):
            return "photo_url", say("photo_url")
        if EMBEDDED.match(name):
            return "no_photo_named", say("photo_embedded")
        if "\0" in name:
            return "photo_missing", say("photo_bad_name")
        # A backslash is a separator on Windows, where most ledgers come from.
        tries = [name, name.replace("\\", "/")] if "\\" in name else [name]
        for text in tries:
            for root in self._roots:
                path = os.path.normpath(os.path.join(root, text))  # noqa: PTH118
                if os.path.isfile(path):  # noqa: PTH113
                    return path
        text = tries[-1]
        found = self._look(text, self._names)
        if not found and not has_photo_suffix(text):
            found = self._look(text, self._by_stem)
        if found:
            return only(found)
        missing = "photo_missing" if self._photos else "photo_missing_folder"
        return "photo_missing", say(missing, where=" or ".join(self._roots))

    def _look(self, name: str, listed: Callable[[str], dict[str, list[str]]]) -> list[str]:
        """The files that a name means in its folder, else anywhere under the photo folder."""
        for root in self._roots:
            folder, last = os.path.split(os.path.normpath(os.path.join(root, name)))  # noqa: PTH118
            if found := listed(folder).get(name_key(last)):
                return found
        return listed("").get(name_key(name.rstrip("/").rpartition("/")[2]), [])

    def _before_upload(self) -> dict[str, list[str]]:
        """The photos by the names that Label Studio would give them."""
        if self._uploads is None:
            self._uploads = {}
            for file in dict.fromkeys(self._everything()):
                name = re.split(r"[/\\\0]", file)[-1]
                self._uploads.setdefault(_uploaded(name), []).append(file)
        return self._uploads

    def _everything(self) -> list[str]:
        """All that it looks through: its own folders, and everything below that of the photos."""
        listed = map(self._names, [*self._roots, ""])
        return [path for names in listed for paths in names.values() for path in paths]

    def _names(self, folder: str) -> dict[str, list[str]]:
        """Name key -> the files in a folder, "" for all under the photo folder."""
        if folder not in self._listed:
            names: dict[str, list[str]] = {}
            for path in self._files(folder):
                names.setdefault(name_key(os.path.basename(path)), []).append(path)  # noqa: PTH119
            self._listed[folder] = names
        return self._listed[folder]

    def _by_stem(self, folder: str) -> dict[str, list[str]]:
        """Likewise, without the suffixes of photos."""
        if folder not in self._stems:
            self._stems[folder] = by_stem(self._names(folder))
        return self._stems[folder]

    def _files(self, folder: str) -> list[str]:
        if folder:
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
                return [entry.path for entry in entries if entry.is_file()]
            except OSError:
                return []
        found: list[str] = []
        if self._photos is not None:
            for at, below, files in os.walk(os.path.abspath(self._photos)):  # noqa: PTH100
                below[:] = sorted(name for name in below if not self._is_skipped(at, name))
                found += (os.path.join(at, file) for file in sorted(files))  # noqa: PTH118
        return found

    def _is_skipped(self, folder: str, name: str) -> bool:
        if not self._skip:  # else each folder would be looked up on the disk for nothing
            return False
        return os.path.realpath(os.path.join(folder, name)) in self._skip  # noqa: PTH118


def name_key(name: str) -> str:
    """A file name in the form in which names are compared.

    Case is ignored, and so is how a letter is composed: macOS stores é as two signs. A name that is
    not UTF-8 on the disk is taken for GBK, as in an archive.
    """
    return unicodedata.normalize("NFKC", readable(name)).casefold()


def _uploaded(name: str) -> str:
    """Key of the name that Label Studio gives a photo, without its random prefix."""
    return name_key(_NOT_KEPT.sub("", name.strip().replace(" ", "_")))


def has_photo_suffix(name: str) -> bool:
    """Whether a file name ends as those of photos do."""
    return name.casefold().endswith(PHOTO_SUFFIXES)


def by_stem(listed: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Name key without suffix -> the photos, of name keys and the files that they mean."""
    stems: dict[str, list[str]] = {}
    for key, files in listed.items():
        if has_photo_suffix(key):
            stems.setdefault(key.rpartition(".")[0], []).extend(files)
    return stems


def _named(names: list[str]) -> list[str]:
    stripped = (name.strip() for name in names)
    return list(dict.fromkeys(name for name in stripped if name.casefold() not in _EMPTY))


def only(found: list[str]) -> str | tuple[str, str]:
    """The single file that was found, or that there are several."""
    if len(found) == 1:
        return found[0]
    return "photo_missing", say(
        "photo_several", count=len(found), names=", ".join(map(readable, found[:3]))
    )
