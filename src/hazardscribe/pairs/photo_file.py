"""The file of a photo before anybody takes it for a picture: its bytes, and what they announce."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
from pathlib import Path
from typing import IO

from hazardscribe.errors import PhotoError
from hazardscribe.pairs.photo_limits import PhotoLimits

SUPPORTED = "JPEG, PNG, WebP, BMP, GIF and TIFF"

_SUFFIXES = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "WEBP": ".webp",
    "BMP": ".bmp",
    "GIF": ".gif",
    "TIFF": ".tif",
}


def photo_digest(source: str | Path | bytes) -> str:
    """SHA-256 of the file's bytes in hex, read in blocks.

    Raises:
        PhotoError: the file is missing or cannot be read.
    """
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    try:
        with Path(source).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(name_of(source), error) from error


def file_status(photo: str) -> list[int]:
    """Size in bytes and time of last change in nanoseconds; -1 and -1 where there is no file."""
    try:
        found = os.stat(photo)  # noqa: PTH116 (a Path per photo is slow at 100,000)
    except (OSError, ValueError):
        return [-1, -1]
    return [found.st_size, found.st_mtime_ns]


def photo_suffix(head: bytes) -> str:
    """File suffix that fits a photo's first bytes (`.jpg`, `.png` ...), `.bin` when unknown."""
    return _SUFFIXES.get(_sniff(head) or "", ".bin")


def open_photo(source: str | Path | bytes, name: str, limits: PhotoLimits) -> IO[bytes]:
    """The file as a binary stream, once its kind and size are known to be fit for reading."""
    if isinstance(source, bytes):
        size = len(source)
    else:
        try:
            status = Path(source).stat()
        except OSError as error:
            raise _unreadable(name, error) from error
        except ValueError as error:  # a NUL byte in the name
            raise PhotoError("missing", f"{name!r}: not a valid file name") from error
        if stat.S_ISDIR(status.st_mode):
            raise _unreadable(name, IsADirectoryError(errno.EISDIR, "is a folder"))
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise PhotoError("not_an_image", f"{name}: is not an ordinary file; name a photo file")
        size = status.st_size
    if size == 0:
        raise PhotoError("damaged", f"{name}: is empty (0 bytes); copy it again from its origin")
    if size > limits.max_bytes:
        raise PhotoError(
            "too_large",
            f"{name}: {size / 2**20:.1f} MiB is more than the limit of "
            f"{limits.max_bytes / 2**20:.1f} MiB; save a smaller copy of the photo",
        )
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        return Path(source).open("rb")
    except OSError as error:
        raise _unreadable(name, error) from error


def name_of(source: str | Path | bytes) -> str:
    """How messages call a photo."""
    if isinstance(source, bytes):
        return f"photo of {len(source)} bytes"
    return str(source)


def _unreadable(name: str, error: OSError) -> PhotoError:
    if error.errno == errno.EISDIR:
        return PhotoError("not_an_image", f"{name}: is a folder, not a photo; name a file in it")
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
        return PhotoError("missing", f"{name}: no such file; check the name and the photo folder")
    return PhotoError(
        "missing", f"{name}: cannot be read ({error.strerror or error}); check its permissions"
    )


def kind_of(head: bytes, name: str) -> str:
    """The format that a file's first bytes announce: `JPEG`, `PNG`, `WEBP`, `BMP`, `GIF`, `TIFF`.

    Raises:
        PhotoError: it is none of these; `name` is how the message calls the file.
    """
    kind = _sniff(head)
    if kind is not None:
        return kind
    if (kind := foreign_kind(head)) != "unknown":
        what, remedy = _FOREIGN[kind]
        raise PhotoError("format", f"{name}: is {what} file; supported are {SUPPORTED}: {remedy}")
    raise PhotoError(
        "not_an_image",
        f"{name}: is not a photo (its content is none of {SUPPORTED}); "
        "check that the file is what its name says",
    )


def _sniff(head: bytes) -> str | None:
    """Name of the supported format that the first bytes announce, if any."""
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if head[:2] == b"BM" and len(head) >= 18:
        return "BMP"
    return None


_FOREIGN = {
    "heic": (
        "a HEIC",
        "save it as JPEG (on an iPhone: Settings > Camera > Formats > Most Compatible)",
    ),
    "avif": ("an AVIF", "save it as JPEG or PNG"),
    "video": ("a video", "save one frame of it as JPEG"),
    "pdf": ("a PDF", "save its picture as JPEG"),
    "office": ("a zip or Office", "unpack it, or save its picture as JPEG"),
    "ole": ("an old Office", "save its picture as JPEG"),
    "psd": ("a Photoshop", "save it as JPEG or PNG"),
    "icon": ("an icon", "save it as PNG"),
    "jp2": ("a JPEG 2000", "save it as JPEG"),
    "jxl": ("a JPEG XL", "save it as JPEG"),
    "jxr": ("a JPEG XR", "save it as JPEG"),
    "svg": ("an SVG", "save it as PNG"),
    "emf": ("an EMF", "save it as PNG"),
    "wmf": ("a WMF", "save it as PNG"),
    "packed": ("a compressed", "unpack it, or save its picture as JPEG"),
    "page": ("a web page", "download the photo itself"),
}
"""Kind of a well-known file that is none of the formats -> its name, and the remedy."""

_STARTS = {
    b"%PDF-": "pdf",
    b"PK\x03\x04": "office",
    b"\xd0\xcf\x11\xe0": "ole",
    b"8BPS": "psd",
    b"\0\0\1\0": "icon",
    b"\0\0\0\x0cjP": "jp2",
    b"\xff\x4f\xff\x51": "jp2",
    b"\xff\x0a": "jxl",
    b"\0\0\0\x0cJXL ": "jxl",
    b"II\xbc\x01": "jxr",
    b"\xd7\xcd\xc6\x9a": "wmf",
    b"\x01\x00\x09\x00": "wmf",
    b"\x1f\x8b": "packed",
}
_BRANDS = dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "heic"
) | dict.fromkeys((b"avif", b"avis"), "avif")


def foreign_kind(head: bytes) -> str:
    """What a file of no supported format is, by its first bytes: `heic`, `emf`, or `unknown`."""
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video")
    if head[:4] == b"\x01\0\0\0" and head[40:44] == b" EMF":
        return "emf"
    for start, kind in _STARTS.items():
        if head.startswith(start):
            return kind
    if b"<svg" in head[:1024].lower():
        return "svg"
    if head.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
        return "page"
    return "unknown"
