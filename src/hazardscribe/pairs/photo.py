"""The one photo loader: what training, evaluation and serving see of a file is decided here.

A photo enters the program as bytes that nobody has checked. This module turns them into an
upright RGB image or refuses them with a reason (`photo_file`, `photo_limits`), and it looks at the
header before it unpacks a single pixel (`photo_pixels`): a PNG of ten kilobytes can hold half a
gigabyte. Because all parts of the program load photos through `load_photo`, the model meets the
same pixels in training and in use; a test pins them by hash, and `LOADER_VERSION` names that
contract for caches.

Colour profiles are not applied: training pipelines do not apply them either.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from hazardscribe.errors import PhotoError
from hazardscribe.pairs.photo_file import kind_of, name_of, open_photo
from hazardscribe.pairs.photo_limits import DEFAULT_LIMITS, PhotoLimits, check_scans, check_shape
from hazardscribe.pairs.photo_pixels import decode, orientation_of

if TYPE_CHECKING:
    from PIL import Image, ImageFile

LOADER_VERSION = 2
"""Raise this whenever the same file gives other pixels than before: caches are keyed by it."""


def load_photo(
    source: str | Path | bytes, *, bound: int | None = None, limits: PhotoLimits = DEFAULT_LIMITS
) -> Image.Image:
    """Load one photo as an upright RGB image.

    EXIF orientation is applied, transparency is laid on white, an animation gives its first
    frame, 16-bit and CMYK pictures become 8-bit RGB.

    Args:
        source: path of the file, or its bytes.
        bound: longest side of the result in pixels. Larger photos are scaled down (Lanczos; a
            JPEG is first decoded at 1/2, 1/4 or 1/8 as long as that leaves twice `bound`),
            smaller ones are left as they are. None keeps the full size.
        limits: what is refused before decoding.

    Returns:
        A PIL image of mode RGB, independent of the file.

    Raises:
        PhotoError: the file cannot be used; `.reason` holds the code, the text names the file,
            the cause and the remedy.
        ValueError: `bound` is not positive.
    """
    if bound is not None and bound < 1:
        raise ValueError(f"bound must be at least 1 pixel, not {bound}")
    name = name_of(source)
    with open_photo(source, name, limits) as stream:
        image = _open_header(stream, name, limits)
        check_shape(image.size, name, limits)
        if image.format in ("JPEG", "MPO"):
            check_scans(stream, name)
        try:
            return decode(image, bound)
        except MemoryError as error:
            raise PhotoError(
                "too_large",
                f"{name}: not enough memory to unpack {image.size[0]} x {image.size[1]} pixels; "
                "save a smaller copy of the photo",
            ) from error
        except Exception as error:  # decoders raise anything on hostile data
            raise PhotoError(
                "damaged",
                f"{name}: the picture data is damaged or cut off ({_cause(error)}); "
                "copy the file again from its origin, or leave it out",
            ) from error


@dataclass(frozen=True, slots=True)
class PhotoHeader:
    """What a photo's header says.

    Attributes:
        kind: `JPEG`, `MPO` (a JPEG with further pictures behind it), `PNG`, `WEBP`, `BMP`, `GIF`
            or `TIFF`.
        size: width and height in pixels, as stored.
        mode: PIL's name of the pixel format: `RGB`, `L`, `CMYK` ...
        orientation: EXIF orientation, 1 (upright) to 8.
    """

    kind: str
    size: tuple[int, int]
    mode: str
    orientation: int

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height in pixels of the photo as it is seen."""
        width, height = self.size
        return (height, width) if self.orientation >= 5 else (width, height)


def photo_header(
    source: str | Path | bytes, *, limits: PhotoLimits = DEFAULT_LIMITS
) -> PhotoHeader:
    """Read a photo's header without unpacking its pixels.

    Raises:
        PhotoError: the file is missing, no photo, or beyond the limits.
    """
    name = name_of(source)
    with open_photo(source, name, limits) as stream:
        image = _open_header(stream, name, limits)
        check_shape(image.size, name, limits)
        orientation = orientation_of(image, stream)
        return PhotoHeader(image.format or "", image.size, image.mode, orientation)


def _cause(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:160]


def _webp_size(head: bytes) -> tuple[int, int] | None:
    """Canvas of a WebP file: its decoder reserves memory as soon as it is opened."""
    if head[12:16] == b"VP8X" and len(head) >= 30:
        width = int.from_bytes(head[24:27], "little") + 1
        return width, int.from_bytes(head[27:30], "little") + 1
    if head[12:16] == b"VP8L" and len(head) >= 25:
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if head[12:16] == b"VP8 " and len(head) >= 30:
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None


def _open_header(stream: IO[bytes], name: str, limits: PhotoLimits) -> ImageFile.ImageFile:
    """Parse the header with the reader of the announced format and with no other.

    `Image.open` is passed by on purpose: from 89 megapixels on it warns on its own account, and
    silencing that would change process-wide state under the feet of other threads.
    """
    head = stream.read(1024)
    stream.seek(0)
    kind = kind_of(head, name)
    if kind == "WEBP" and (size := _webp_size(head)) is not None:
        check_shape(size, name, limits)

    from PIL import Image

    try:
        return _reader(kind, stream)
    except Image.DecompressionBombError as error:
        raise PhotoError(
            "too_large", f"{name}: {_cause(error)}; save a smaller copy of the photo"
        ) from error
    except Exception as error:  # header parsers raise anything on hostile data
        raise PhotoError(
            "damaged",
            f"{name}: begins like a {kind} file but its header is damaged ({_cause(error)}); "
            "copy the file again from its origin, or leave it out",
        ) from error


def _reader(kind: str, stream: IO[bytes]) -> ImageFile.ImageFile:
    from PIL import (
        BmpImagePlugin,
        GifImagePlugin,
        JpegImagePlugin,
        PngImagePlugin,
        TiffImagePlugin,
        WebPImagePlugin,
    )

    readers = {
        "JPEG": JpegImagePlugin.jpeg_factory,  # also opens MPO, at its main picture
        "PNG": PngImagePlugin.PngImageFile,
        "WEBP": WebPImagePlugin.WebPImageFile,
        "BMP": BmpImagePlugin.BmpImageFile,
        "GIF": GifImagePlugin.GifImageFile,
        "TIFF": TiffImagePlugin.TiffImageFile,
    }
    return readers[kind](stream, "")
