"""Zip archives of ledgers and photos, from people who pack them with anything.

Nothing is unpacked by name: photos are read one by one when a row names them, a ledger goes to a
temporary file. So a member named `../../x` can overwrite nothing; it is left out all the same.
Chinese Windows writes names in GBK without saying so.
"""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from hazardscribe.errors import InputError, PhotoError
from hazardscribe.pairs.finder import by_stem, has_photo_suffix, name_key
from hazardscribe.pairs.photo_limits import DEFAULT_LIMITS

MAX_MEMBERS = 1_000_000
MAX_LEDGER_BYTES = 4 * 2**30
MAX_RATIO = 250
"""Unpacked to packed size beyond which a ledger of more than 64 MiB is taken for a bomb."""

_SMALL = 64 * 2**20
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError)


class Archive:
    """An open zip archive: its members by path and by base name.

    Attributes:
        path: of the archive.
        refused: names of members that are left out because they point outside.
    """

    def __init__(self, path: Path) -> None:
        """Open the archive and read its list of members.

        Raises:
            InputError: it cannot be read, is damaged, locked by a password, or too full.
        """
        self.path = path
        self.refused: list[str] = []
        try:
            self._zip = zipfile.ZipFile(path)
        except _DAMAGED as error:
            raise InputError(
                f"{path}: is not a readable zip archive ({error}); copy it again, or unpack it "
                "and name the folder"
            ) from error
        self._unpacked = 0  # bytes of ledgers
        members = self._zip.infolist()
        if len(members) > MAX_MEMBERS:
            raise InputError(
                f"{path}: holds {len(members)} files, more than {MAX_MEMBERS}; pack it in parts"
            )
        self._members: dict[str, zipfile.ZipInfo] = {}
        for info in members:
            name = member_name(info)
            if name.endswith("/") or _is_rubbish(name):
                continue
            if _escapes(name):
                self.refused.append(name)
                continue
            if info.flag_bits & 1:
                raise InputError(
                    f"{path}: is locked with a password ({name}); unpack it and name the folder, "
                    "or pack it again without a password"
                )
            self._members.setdefault(name, info)
        self._by_path: dict[str, list[str]] = {}
        self._by_name: dict[str, list[str]] = {}
        for name in sorted(self._members):
            key = name_key(name)
            self._by_path.setdefault(key, []).append(name)
            self._by_name.setdefault(key.rpartition("/")[2], []).append(name)
        self._path_stems = by_stem(self._by_path)
        self._name_stems = by_stem(self._by_name)

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    @property
    def names(self) -> list[str]:
        """Paths of the members, sorted."""
        return sorted(self._members)

    def find(self, name: str, folder: str = "") -> list[str]:
        """The members that a name can mean: by path from the folder or the root, else by base name.

        Case and Unicode form are ignored.
        """
        return _find(name, folder, self._by_path, self._by_name)

    def find_stem(self, name: str, folder: str = "") -> list[str]:
        """The photos that a name without a photo's suffix can mean, likewise."""
        if has_photo_suffix(name):
            return []
        return _find(name, folder, self._path_stems, self._name_stems)

    def read(self, name: str) -> bytes:
        """The bytes of a photo.

        Raises:
            PhotoError: it is too large, or damaged.
        """
        info = self._members[name]
        where = f"{self.path.name}/{name}"
        limit = DEFAULT_LIMITS.max_bytes
        if info.file_size > limit:
            raise PhotoError(
                "too_large",
                f"{where}: {info.file_size / 2**20:.1f} MiB unpacked is more than the limit of "
                f"{limit / 2**20:.0f} MiB; save a smaller copy of the photo",
            )
        try:
            with self._zip.open(info) as stream:
                content = stream.read(limit + 1)
        except (*_DAMAGED, RuntimeError) as error:
            raise PhotoError(
                "damaged", f"{where}: is damaged in the archive ({error}); pack it again"
            ) from error
        return content

    def unpack(self, name: str, target: Path) -> Path:
        """Write a ledger to a file.

        Raises:
            InputError: it is damaged, or unpacks to far more than its size.
        """
        info = self._members[name]
        packed = max(info.compress_size, 1)
        bomb = info.file_size > _SMALL and info.file_size / packed > MAX_RATIO
        self._unpacked += info.file_size
        if bomb or self._unpacked > MAX_LEDGER_BYTES:
            raise InputError(
                f"{self.path}: {name} would unpack from {packed} to {info.file_size} bytes, "
                f"{self._unpacked} with those before it; that is no ledger. Check "
                "where the archive comes from"
            )
        try:
            with self._zip.open(info) as stream, target.open("wb") as file:
                shutil.copyfileobj(stream, file, 2**20)
        except (*_DAMAGED, RuntimeError) as error:
            raise InputError(
                f"{self.path}: {name} cannot be unpacked ({error}); pack it again"
            ) from error
        return target


def _find(
    name: str,
    folder: str,
    by_path: Mapping[str, list[str]],
    by_name: Mapping[str, list[str]],
) -> list[str]:
    parts = name_key(name.replace("\\", "/")).split("/")
    inside: list[str] = []
    for part in [*name_key(folder).split("/"), *parts]:
        if part == ".." and inside:
            inside.pop()
        elif part not in ("", ".", ".."):
            inside.append(part)
    for path in ("/".join(inside), "/".join(part for part in parts if part not in ("", "."))):
        if path in by_path:
            return by_path[path]
    return by_name.get(parts[-1], []) if parts[-1] else []


def member_name(info: zipfile.ZipInfo) -> str:
    """A member's path with `/`: as UTF-8 where the archive says so or it is that, else as GBK."""
    name = info.orig_filename.split("\0")[0]
    if not info.flag_bits & 0x800 and not name.isascii():
        try:
            raw = name.encode("cp437")
        except UnicodeEncodeError:
            raw = b""
        for encoding in ("utf-8", "gb18030"):
            try:
                name = raw.decode(encoding) or name
                break
            except UnicodeDecodeError:
                continue
    return name.replace("\\", "/")


def _escapes(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return name.startswith("/") or ".." in parts or (bool(parts) and parts[0][1:2] == ":")


def _is_rubbish(name: str) -> bool:
    parts: Sequence[str] = name.split("/")
    return "__MACOSX" in parts or any(p.startswith(".") and p not in (".", "..") for p in parts)
