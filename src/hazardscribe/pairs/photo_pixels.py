"""From an opened picture to upright pixels in RGB, in the order that costs least."""

from __future__ import annotations

import struct
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image, ImageFile

_DRAFT_GAP = 2
"""A JPEG decoded at a reduced scale keeps at least this many times the side that is asked for.

On site photos the result is then 0.3 to 0.6 of 255 from full decoding followed by scaling (worst
photo 2); with a gap of 1 it is 1 to 2.6 (worst 7), since the decoder's own reduction is coarse.
"""

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


def decode(image: ImageFile.ImageFile, bound: int | None) -> Image.Image:
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
    orientation = orientation_of(image)

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


def orientation_of(image: Image.Image, stream: IO[bytes] | None = None) -> int:
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
