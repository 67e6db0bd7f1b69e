"""The zip archive that a workbook is: its parts, how they refer to each other, and its limits.

Part names are compared without regard to case and to the direction of slashes, as Office does. No
error of zipfile, zlib or the XML parser leaves this package: `Package.reading` turns whatever a
damaged part causes into one sentence.
"""

from __future__ import annotations

import posixpath
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import unquote
from xml.etree.ElementTree import Element
from xml.parsers.expat import ExpatError

from hazardscribe.errors import InputError
from hazardscribe.pairs.workbook import refusals
from hazardscribe.pairs.workbook.safe_xml import attribute, children, local

MAX_MEMBERS = 200_000
MAX_TOTAL = 16 << 30  # bytes unpacked
MAX_XML = 2 << 30  # bytes of one sheet unpacked; sheets are streamed
MAX_HELD = 512 << 20  # bytes unpacked of a part whose content is kept in memory
MAX_RATIO = 200
_RATIO_FROM = 64 << 20  # bytes unpacked; below this any ratio is harmless
_MAX_DIRECTORY = 64 << 20  # bytes of the zip's own list of members

_CAUSES = (
    *(zipfile.BadZipFile, zlib.error, struct.error, ExpatError, EOFError, OSError),
    *(ValueError, LookupError, ArithmeticError, RuntimeError, MemoryError, AssertionError),
)
"""What damaged bytes make the standard library raise; seen one after the other under fuzzing."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A reference from one part to another.

    Attributes:
        kind: last piece of the type's address, such as `image`.
        target: name of the part, "" when it is external.
        address: the target as written.
    """

    kind: str
    target: str
    address: str


class Package:
    """An opened archive. Close it, or use it as a context manager.

    Raises:
        InputError: the file is no zip archive, locked, damaged, or a bomb.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as stream:
                head = stream.read(4096)
                size = stream.seek(0, 2)
                stream.seek(max(0, size - 70_000))
                tail = stream.read()
            if not head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
                raise refusals.not_a_zip(path, head)
        except OSError as error:
            raise InputError(
                f"{path}: cannot be read ({error.strerror or error}); check its name and rights"
            ) from error
        if _directory_size(tail) > _MAX_DIRECTORY:
            raise self._bomb(f"lists more than {MAX_MEMBERS:,} files")
        try:
            self._zip = zipfile.ZipFile(path)
        except _CAUSES as error:
            raise InputError(
                f"{path}: the file is damaged or cut off ({_say(error)}); copy it again from its "
                "origin, or open it in Excel or WPS, let it repair the file, and save it as .xlsx"
            ) from error
        try:
            self._check(size)
        except InputError:
            self._zip.close()
            raise
        self._members = {_key(info.filename): info for info in self._zip.infolist()}

    def _check(self, size: int) -> None:
        infos = self._zip.infolist()
        if len(infos) > MAX_MEMBERS:
            raise self._bomb(f"holds {len(infos):,} files (the limit is {MAX_MEMBERS:,})")
        total = sum(info.file_size for info in infos)
        if total > MAX_TOTAL or (total > _RATIO_FROM and total > MAX_RATIO * size):
            raise self._bomb(f"would unpack from {size:,} to {total:,} bytes")
        for info in infos:
            if info.file_size > _RATIO_FROM and info.file_size > MAX_RATIO * info.compress_size:
                raise self._bomb(f"{info.filename} in it would unpack to {info.file_size:,} bytes")
            if info.flag_bits & 0x1:
                raise refusals.locked(self.path)

    def _bomb(self, what: str) -> InputError:
        return InputError(
            f"{self.path}: {what}, which no ordinary workbook does, so it was not unpacked; open "
            "it in Excel or WPS, delete what is not needed, and save it under a new name"
        )

    def close(self) -> None:
        self._zip.close()

    def names(self) -> list[str]:
        """Keys of all parts (lower case), in a stable order."""
        return sorted(key for key, info in self._members.items() if not info.is_dir())

    def has(self, part: str) -> bool:
        return bool(part) and _key(part) in self._members

    def member(self, part: str) -> str:
        """The part's name as it stands in the archive."""
        return self._members[_key(part)].filename

    def size(self, part: str) -> int:
        """Bytes of a part unpacked."""
        return self._members[_key(part)].file_size

    @contextmanager
    def reading(self, part: str) -> Iterator[None]:
        """Within this block, whatever a damaged part causes becomes an `InputError`."""
        try:
            yield
        except InputError:
            raise
        except _CAUSES as error:
            raise self.damaged(part, _say(error)) from error

    def damaged(self, part: str, cause: str) -> InputError:
        return InputError(
            f"{self.path}: the part {part} in it is damaged ({cause}); {refusals.REPAIR}; if that "
            "fails, take an earlier copy"
        )

    def lacking(self, what: str) -> InputError:
        """The error for something that is named in the workbook and not there."""
        return InputError(f"{self.path}: {what} missing from it; {refusals.REPAIR}")

    def open(self, part: str, limit: int = MAX_HELD) -> IO[bytes]:
        """The part as a stream; within `reading` only.

        Raises:
            InputError: it is not there, or larger than `limit` bytes.
        """
        info = self._members.get(_key(part))
        if info is None:
            raise self.lacking(f"the part {part} is")
        if info.file_size > limit:
            raise self._bomb(f"{part} in it would unpack to {info.file_size:,} bytes")
        return self._zip.open(info)

    def head(self, part: str, size: int = 1024) -> bytes:
        """The first bytes of a part."""
        with self.reading(part), self.open(part, MAX_TOTAL) as stream:
            return stream.read(size)

    def children(self, part: str) -> Iterator[Element]:
        """The elements below the root of an XML part, one after the other."""
        with self.reading(part), self.open(part) as stream:
            yield from children(stream)

    def relations(self, part: str) -> dict[str, Relation]:
        """What a part refers to, by relation id; "" stands for the package itself."""
        folder, _, name = part.rpartition("/")
        rels = posixpath.join(folder, "_rels", f"{name}.rels")
        if not self.has(rels):
            return {}
        found: dict[str, Relation] = {}
        for element in self.children(rels):
            if local(element.tag) != "Relationship":
                continue
            kind = attribute(element, "Type").rpartition("/")[2]
            address = attribute(element, "Target")
            external = attribute(element, "TargetMode").lower() == "external"
            target = "" if external else self._resolve(folder, address)
            found[attribute(element, "Id")] = Relation(kind, target, address)
        return found

    def _resolve(self, folder: str, address: str) -> str:
        """The part that an address means; some writers forget the folder or escape characters."""
        address = address.replace("\\", "/")
        starts = ("",) if address.startswith("/") else (folder, "xl", "")
        tried = [
            posixpath.normpath(posixpath.join("/", start, written.lstrip("/"))).lstrip("/")
            for written in (address, unquote(address))
            for start in starts
        ]
        return next((part for part in tried if self.has(part)), tried[0])


def _key(name: str) -> str:
    return name.replace("\\", "/").lstrip("/").lower()


def _say(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"no entry {error}"
    return str(error).strip() or type(error).__name__


def _directory_size(tail: bytes) -> int:
    """Size in bytes that the archive states for its list of members, 0 if there is none."""
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) < end + 22:
        return 0
    size = int.from_bytes(tail[end + 12 : end + 16], "little")
    large = tail.rfind(b"PK\x06\x06", 0, end)
    if size == 0xFFFFFFFF and large >= 0:
        return int.from_bytes(tail[large + 40 : large + 48], "little")
    return size
