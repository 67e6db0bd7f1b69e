"""Which bytes stand for a photo inside a workbook.

Office programs show JPEG, PNG, GIF and BMP, and such a photo goes in as it is, byte for byte, so
that importing the workbook gives the very same file back. They cannot show WebP or TIFF, show
CMYK in wrong colours, and pay no heed to the EXIF mark by which a phone says "turn me": such a
photo gets a copy for the eye (upright, RGB, JPEG), and the writer keeps the original beside the
workbook. (A rotation in the drawing would keep one file, but office programs do not agree on
which box it turns in.) MPO is a JPEG with further pictures behind it: every program shows the
first and keeps the rest, so it goes in as it is.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hazardscribe.pairs.photo import PhotoHeader, load_photo, photo_header

COPY_BOUND = 1280
"""Longest side of a copy in pixels: enough to zoom in."""

_SHOWN = {"JPEG": "jpeg", "MPO": "jpeg", "PNG": "png", "GIF": "gif", "BMP": "bmp"}
_SMALLEST = 44  # bytes; xlsxwriter refuses less


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture ready to be put into a workbook.

    Attributes:
        image: `xlsxwriter.image.Image`.
        natural: width and height in pixels at which a program shows it unscaled.
        original: whether it holds the photo's own bytes.
        bytes: its size.
    """

    image: Any
    natural: tuple[float, float]
    original: bool
    bytes: int


def picture_of(photo: Path, spare: Path) -> Picture:
    """The picture that shows a photo.

    Args:
        photo: the photo file.
        spare: where a copy may be written, if one is needed.

    Raises:
        PhotoError: the photo cannot be used.
    """
    header = photo_header(photo)
    image = _as_it_is(photo, header)
    shown = photo
    if image is None:
        from xlsxwriter.image import Image  # type: ignore[import-untyped]

        shown = spare
        spare.write_bytes(upright_copy(photo))
        image = Image(str(spare))
    natural = (image.width * 96.0 / image.x_dpi, image.height * 96.0 / image.y_dpi)
    return Picture(image, natural, shown is photo, shown.stat().st_size)


def _as_it_is(photo: Path, header: PhotoHeader) -> Any:
    """The photo's own bytes as xlsxwriter's image, or None where they would not show well."""
    from xlsxwriter.exceptions import XlsxWriterException  # type: ignore[import-untyped]
    from xlsxwriter.image import Image

    if header.kind not in _SHOWN or header.orientation != 1 or header.mode == "CMYK":
        return None
    if photo.stat().st_size < _SMALLEST:
        return None
    try:
        image = Image(str(photo))
    except (XlsxWriterException, struct.error, IndexError):
        return None  # its own reading of the header is stricter than PIL's
    found = (int(image.width), int(image.height))
    return image if found == header.size and image.image_type.lower() in _SHOWN.values() else None


def upright_copy(photo: Path) -> bytes:
    """A JPEG of the photo as it should be seen: upright, RGB, its longest side `COPY_BOUND`."""
    buffer = io.BytesIO()
    load_photo(photo, bound=COPY_BOUND).save(buffer, "JPEG", quality=88, optimize=True)
    return buffer.getvalue()


def fit(natural: tuple[float, float], box: tuple[int, int]) -> float:
    """The scale at which a picture fits a box; small pictures are not blown up."""
    return min(1.0, box[0] / natural[0], box[1] / natural[1])
