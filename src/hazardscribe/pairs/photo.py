"""The one photo loader: what training, evaluation and serving see of a file is decided here.

A photo enters the program as bytes that nobody has checked. This module turns them into an
upright RGB image or refuses them with a reason, and it looks at the header before it unpacks a
single pixel: a PNG of ten kilobytes can hold half a gigabyte. Because all parts of the program
load photos through `load_photo`, the model meets the same pixels in training and in use; a test
pins them by hash, and `LOADER_VERSION` names that contract for caches.

Colour profiles are not applied: training pipelines do not apply them either.
"""

from __future__ import annotations

import errno
import hashlib
import io
import re
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from hazardscribe.errors import PhotoError

if TYPE_CHECKING:
    from PIL import Image, ImageFile

LOADER_VERSION = 2
"""Raise this whenever the same file gives other pixels than before: caches are keyed by it."""

_DRAFT_GAP = 2
"""A JPEG decoded at a reduced scale keeps at least this many times the side that is asked for.

On site photos the result is then 0.3 to 0.6 of 255 from full decoding followed by scaling (worst
photo 2); with a gap of 1 it is 1 to 2.6 (worst 7), since the decoder's own reduction is coarse.
"""

_MOST_SCANS = 100
"""Passes of a JPEG; cameras and editors write some ten. Each goes over all pixels, so that a small
file of thousands would keep a decoder busy for an hour."""

# ITU-T T.81, table B.1. A byte FF within a pass is followed by 00, or by one of those that restart
# it; these, and the picture's beginning, have no length.
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9

SUPPORTED = "JPEG, PNG, WebP, BMP, GIF and TIFF"

_SUFFIXES = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "WEBP": ".webp",
    "BMP": ".bmp",
    "GIF": ".gif",
    "TIFF": ".tif",
}

_BLOCK = 1 << 20  # grey values that are brought to 8 bits at once
# EXIF tag 0x0112 -> name in PIL.Image.Transpose of the operation that makes the picture upright.
_UPRIGHT = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


@dataclass(frozen=True, slots=True)
class PhotoLimits:
    """What a photo may be before it is refused unread.

    Attributes:
        max_bytes: size of the file in bytes.
        max_pixels: width x height as the header states them.
        max_aspect: longer side / shorter side.
        min_side: shorter side in pixels; smaller pictures are icons and spacers.
    """

    max_bytes: int = 100 * 1024 * 1024
    max_pixels: int = 100_000_000
    max_aspect: float = 20.0
    min_side: int = 16


DEFAULT_LIMITS = PhotoLimits()


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
    name = _name(source)
    with _open_bytes(source, name, limits) as stream:
        image = _open_header(stream, name, limits)
        _check_shape(image.size, name, limits)
        if image.format in ("JPEG", "MPO"):
            _check_scans(stream, name)
        try:
            return _decode(image, bound)
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


def photo_header(
    source: str | Path | bytes, *, limits: PhotoLimits = DEFAULT_LIMITS
) -> PhotoHeader:
    """Read a photo's header without unpacking its pixels.

    Raises:
        PhotoError: the file is missing, no photo, or beyond the limits.
    """
    name = _name(source)
    with _open_bytes(source, name, limits) as stream:
        image = _open_header(stream, name, limits)
        _check_shape(image.size, name, limits)
        orientation = _orientation(image, stream)
        return PhotoHeader(image.format or "", image.size, image.mode, orientation)


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
        raise _unreadable(_name(source), error) from error


def photo_size(
    source: str | Path | bytes, *, limits: PhotoLimits = DEFAULT_LIMITS
) -> tuple[int, int]:
    """Width and height in pixels of the upright photo, from its header alone.

    Raises:
        PhotoError: the header cannot be used, as in `load_photo`.
    """
    name = _name(source)
    with _open_bytes(source, name, limits) as stream:
        image = _open_header(stream, name, limits)
        width, height = image.size
        return (height, width) if _orientation(image, stream) >= 5 else (width, height)


def photo_suffix(head: bytes) -> str:
    """File suffix that fits a photo's first bytes (`.jpg`, `.png` ...), `.bin` when unknown."""
    return _SUFFIXES.get(_sniff(head) or "", ".bin")


def _name(source: str | Path | bytes) -> str:
    if isinstance(source, bytes):
        return f"photo of {len(source)} bytes"
    return str(source)


def _cause(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:160]


def _unreadable(name: str, error: OSError) -> PhotoError:
    if error.errno == errno.EISDIR:
        return PhotoError("not_an_image", f"{name}: is a folder, not a photo; name a file in it")
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
        return PhotoError("missing", f"{name}: no such file; check the name and the photo folder")
    return PhotoError(
        "missing", f"{name}: cannot be read ({error.strerror or error}); check its permissions"
    )


def _open_bytes(source: str | Path | bytes, name: str, limits: PhotoLimits) -> IO[bytes]:
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


def _foreign(head: bytes) -> tuple[str, str] | None:
    """Kind of file and remedy for well-known files that are not in the list of formats."""
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    if brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"):
        return "HEIC", (
            "save it as JPEG (on an iPhone: Settings > Camera > Formats > Most Compatible)"
        )
    if brand in (b"avif", b"avis"):
        return "AVIF", "save it as JPEG or PNG"
    if brand:
        return "video", "save one frame of it as JPEG"
    if head[:5] == b"%PDF-":
        return "PDF", "save its picture as JPEG"
    if head[:4] == b"PK\x03\x04":
        return "zip or Office", "unpack it, or save its picture as JPEG"
    if head[:4] == b"8BPS":
        return "Photoshop", "save it as JPEG or PNG"
    if head[:4] == b"\0\0\1\0":
        return "icon", "save it as PNG"
    if head[:12] == b"\0\0\0\x0cjP  \r\n\x87\n" or head[:4] == b"\xff\x4f\xff\x51":
        return "JPEG 2000", "save it as JPEG"
    if head[:2] == b"\xff\x0a" or head[:8] == b"\0\0\0\x0cJXL ":
        return "JPEG XL", "save it as JPEG"
    if b"<svg" in head[:1024].lower():
        return "SVG", "save it as PNG"
    if head.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
        return "web page", "download the photo itself"
    return None


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
    kind = _sniff(head)
    if kind is None:
        foreign = _foreign(head)
        if foreign is not None:
            article = "an" if foreign[0] in ("AVIF", "icon", "SVG") else "a"
            raise PhotoError(
                "format",
                f"{name}: is {article} {foreign[0]} file; supported are {SUPPORTED}: {foreign[1]}",
            )
        raise PhotoError(
            "not_an_image",
            f"{name}: is not a photo (its content is none of {SUPPORTED}); "
            "check that the file is what its name says",
        )
    if kind == "WEBP" and (size := _webp_size(head)) is not None:
        _check_shape(size, name, limits)

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
    if kind == "JPEG":
        from PIL import JpegImagePlugin

        return JpegImagePlugin.jpeg_factory(stream, "")  # also opens MPO, at its main picture
    if kind == "PNG":
        from PIL import PngImagePlugin

        return PngImagePlugin.PngImageFile(stream, "")
    if kind == "WEBP":
        from PIL import WebPImagePlugin

        return WebPImagePlugin.WebPImageFile(stream, "")
    if kind == "BMP":
        from PIL import BmpImagePlugin

        return BmpImagePlugin.BmpImageFile(stream, "")
    if kind == "GIF":
        from PIL import GifImagePlugin

        return GifImagePlugin.GifImageFile(stream, "")
    from PIL import TiffImagePlugin

    return TiffImagePlugin.TiffImageFile(stream, "")


def _check_shape(size: tuple[int, int], name: str, limits: PhotoLimits) -> None:
    width, height = size
    short, long = min(size), max(size)
    if width * height > limits.max_pixels:
        raise PhotoError(
            "too_large",
            f"{name}: {width} x {height} pixels is more than the limit of "
            f"{limits.max_pixels / 1e6:g} million pixels; save a smaller copy of the photo",
        )
    if short < max(1, limits.min_side):
        raise PhotoError(
            "too_small",
            f"{name}: {width} x {height} pixels is too small to show anything (at least "
            f"{limits.min_side} on the shorter side); use the original photo",
        )
    if long > limits.max_aspect * short:
        raise PhotoError(
            "aspect",
            f"{name}: {width} x {height} pixels is a strip (sides may differ up to "
            f"{limits.max_aspect:g} times); crop it to what it is meant to show",
        )


def _check_scans(stream: IO[bytes], name: str) -> None:
    """Refuse a JPEG of too many passes.

    Counted up to the picture's end: phones append films, in which any bytes may stand.
    """
    place = stream.tell()
    stream.seek(0)
    data = stream.read()
    stream.seek(place)
    scans, at = 0, 0
    while found := _MARKER.search(data, at):
        kind, at = data[found.end() - 1], found.end()
        if kind == _END_OF_IMAGE or scans > _MOST_SCANS:
            break
        scans += kind == _START_OF_SCAN
        at += max(2, int.from_bytes(data[at : at + 2]))  # the length counts itself
    if scans > _MOST_SCANS:
        raise PhotoError(
            "damaged",
            f"{name}: is packed in more than {_MOST_SCANS} passes, which no camera writes; save it "
            "again as JPEG",
        )


def _decode(image: ImageFile.ImageFile, bound: int | None) -> Image.Image:
    """Unpack, flatten to RGB, scale and turn upright, in the order that costs least."""
    from PIL import Image

    target: tuple[int, int] | None = None
    box: tuple[float, float, float, float] | None = None
    if bound is not None and max(image.size) > bound:
        target = _fit(image.size, bound)
        if image.format in ("JPEG", "MPO"):
            drafted = image.draft(None, (_DRAFT_GAP * target[0], _DRAFT_GAP * target[1]))
            box = drafted[1] if drafted else None
    size_before = image.size
    image.load()
    if target is not None and image.size == size_before[::-1] != size_before:
        target = target[::-1]  # TIFF turns itself upright while it loads
    orientation = _orientation(image)

    flat = _to_rgb(image)
    if target is not None:
        flat = flat.resize(target, Image.Resampling.LANCZOS, box=box)
    if flat.mode != "RGB":
        flat = flat.convert("RGB")
    if orientation in _UPRIGHT:
        flat = flat.transpose(Image.Transpose[_UPRIGHT[orientation]])
    if flat is image:
        flat = image.copy()
    flat.info = {}
    return flat


def _fit(size: tuple[int, int], bound: int) -> tuple[int, int]:
    """Width and height scaled so that the longer one is `bound`, halves rounded up."""
    longest = max(size)
    width, height = (max(1, (2 * side * bound + longest) // (2 * longest)) for side in size)
    return width, height


def _orientation(image: Image.Image, stream: IO[bytes] | None = None) -> int:
    """EXIF orientation.

    Args:
        stream: of an image whose pixels are not unpacked, and are not to be: asked for EXIF, a PNG
            unpacks itself to reach what may stand behind the pixels.
    """
    from PIL import Image

    try:
        if stream is not None and image.format == "PNG" and "exif" not in image.info:
            exif = Image.Exif()
            exif.load(_exif_behind_pixels(stream))
        else:
            exif = image.getexif()
        return int(exif.get(0x0112, 1))
    except Exception:  # a damaged EXIF block says nothing; the pixels are still good
        return 1


def _exif_behind_pixels(stream: IO[bytes]) -> bytes:
    """The eXIf chunk of a PNG, found by stepping over the others; empty where there is none."""
    stream.seek(8)
    while len(head := stream.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"eXIf":
            return b"Exif\0\0" + stream.read(min(length, 1 << 20))
        stream.seek(length + 4, 1)
    return b""


def _to_rgb(image: Image.Image) -> Image.Image:
    """The picture in mode RGB, or L where it is grey (converted after scaling)."""
    from PIL import Image

    if image.mode in ("RGB", "L") and "transparency" not in image.info:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return _to_8_bit(image)
    if image.has_transparency_data:
        # La, RGBa and PA have no direct way to RGBA.
        step = {"La": "LA", "RGBa": "RGBA", "PA": "RGBA"}.get(image.mode)
        layer = image.convert(step) if step else image
        layer = layer if layer.mode == "RGBA" else layer.convert("RGBA")
        white = Image.new("RGB", image.size, (255, 255, 255))
        white.paste(layer, mask=layer.getchannel("A"))
        return white
    if image.mode == "1":
        return image.convert("L")
    return image.convert("RGB")


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Grey values of 16 or 32 bits as 8 bits: the high byte, or the range that they fit in."""
    import numpy as np
    from PIL import Image

    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        return Image.fromarray((values >> 8).astype(np.uint8))
    # By blocks of rows: a copy of the whole in float64 takes twice what the picture does.
    rows = max(1, _BLOCK // max(1, values.shape[1]))
    blocks = [slice(start, start + rows) for start in range(0, len(values), rows)]

    def finite(block: slice) -> Any:
        return np.nan_to_num(values[block].astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)

    low = min(float(finite(block).min()) for block in blocks)
    high = max(float(finite(block).max()) for block in blocks)
    if low >= 0:
        low = 0.0
        full = next((top for top in (1.0, 255.0, 65535.0) if high <= top), high)
        high = 255.0 if image.mode == "I" and full == 1.0 else full
    scaled = np.zeros(values.shape, dtype=np.uint8)
    for block in blocks if high > low else ():
        scaled[block] = np.rint((finite(block) - low) * (255.0 / (high - low)))
    return Image.fromarray(scaled)
