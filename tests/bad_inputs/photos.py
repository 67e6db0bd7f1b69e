"""Files that are no usable photo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bad_inputs.world import Case, World
from hazardscribe.pairs.photo import load_photo
from serving.odd_photos import BAD

NO_PHOTO = (
    "a.jpg: is not a photo (its content is none of JPEG, PNG, WebP, BMP, GIF and TIFF); check that "
    "the file is what its name says"
)
CUT = (
    "a.jpg: the picture data is damaged or cut off (…); copy the file again from its origin, or "
    "leave it out"
)


def _header(kind: str) -> str:
    return (
        f"a.jpg: begins like a {kind} file but its header is damaged (…); copy the file again from "
        "its origin, or leave it out"
    )


def _foreign(kind: str, remedy: str) -> str:
    return f"a.jpg: is {kind} file; supported are JPEG, PNG, WebP, BMP, GIF and TIFF: {remedy}"


def _large(size: str) -> str:
    return (
        f"a.jpg: {size} pixels is more than the limit of 100 million pixels; save a smaller copy "
        "of the photo"
    )


def _strip(size: str) -> str:
    return (
        f"a.jpg: {size} pixels is a strip (sides may differ up to 20 times); crop it to what it is "
        "meant to show"
    )


def _small(size: str) -> str:
    return (
        f"a.jpg: {size} pixels is too small to show anything (at least 16 on the shorter side); "
        "use the original photo"
    )


def _load(content: bytes) -> Callable[[World], object]:
    return lambda world: load_photo(world.file("a.jpg", content))


def _folder(world: World) -> object:
    (world.tmp / "a.jpg").mkdir()
    return load_photo(world.tmp / "a.jpg")


def _link_to_itself(world: World) -> object:
    (world.tmp / "a.jpg").symlink_to(Path("a.jpg"))
    return load_photo(world.tmp / "a.jpg")


# The files that an upload is refused for, here on a disk: what is said of each.
SAID: dict[str, str] = {
    "avif": _foreign("an AVIF", "save it as JPEG or PNG"),
    "bmp cut": CUT,
    "bmp header": _header("BMP"),
    "bmp of 10 gigapixels": _large("100000 x 100000"),
    "bomb": _large("12000 x 12000"),
    "column": _strip("20 x 2000"),
    "dos eps": NO_PHOTO,
    "elf": NO_PHOTO,
    "empty": "a.jpg: is empty (0 bytes); copy it again from its origin",
    "eps": NO_PHOTO,
    "fits": NO_PHOTO,
    "gif cut": CUT,
    "gif header": _header("GIF"),
    "gif of 4 gigapixels": _large("65535 x 65535"),
    "heic": _foreign(
        "a HEIC", "save it as JPEG (on an iPhone: Settings > Camera > Formats > Most Compatible)"
    ),
    "heif": _foreign(
        "a HEIC", "save it as JPEG (on an iPhone: Settings > Camera > Formats > Most Compatible)"
    ),
    "html": _foreign("a web page", "download the photo itself"),
    "ico header only": _foreign("an icon", "save it as PNG"),
    "jpeg 2000": _foreign("a JPEG 2000", "save it as JPEG"),
    "jpeg header cut": _header("JPEG"),
    "jpeg magic alone": _header("JPEG"),
    "jpeg of 4 gigapixels": _large("65000 x 65000"),
    "jpeg of zeros": _header("JPEG"),
    "jpeg without end": CUT,
    "jpeg xl": _foreign("a JPEG XL", "save it as JPEG"),
    "json": NO_PHOTO,
    "one byte": NO_PHOTO,
    "one pixel": _small("1 x 1"),
    "pcx": NO_PHOTO,
    "pdf": _foreign("a PDF", "save its picture as JPEG"),
    "photoshop": _foreign("a Photoshop", "save it as JPEG or PNG"),
    "png bad stream": CUT,
    "png checksum": _header("PNG"),
    "png cut": CUT,
    "png magic alone": _header("PNG"),
    "png of 0 pixels": _header("PNG"),
    "png of 10 gigapixels": _large("100000 x 100000"),
    "png of 2^31": _large("2147483647 x 2147483647"),
    "png without data": CUT,
    "ppm": NO_PHOTO,
    "shell script": NO_PHOTO,
    "strip": _strip("2000 x 20"),
    "svg with entity": _foreign("an SVG", "save it as PNG"),
    "svg": _foreign("an SVG", "save it as PNG"),
    "text": NO_PHOTO,
    "tga": NO_PHOTO,
    "tiff cut": CUT,
    "tiff header": _header("TIFF"),
    "tiff loop": _header("TIFF"),
    "tiny": _small("8 x 8"),
    "utf-16 text": NO_PHOTO,
    "video": _foreign("a video", "save one frame of it as JPEG"),
    "webp cut": _header("WEBP"),
    "webp header": _header("WEBP"),
    "webp of 268 megapixels": _large("16383 x 16383"),
    "wmf": _foreign("a WMF", "save it as PNG"),
    "xbm": NO_PHOTO,
    "zeros": NO_PHOTO,
    "zip": _foreign("a zip or Office", "unpack it, or save its picture as JPEG"),
}
CASES: dict[str, Case] = {
    **{name: (_load(BAD[name][0]), said) for name, said in SAID.items()},
    "missing": (
        lambda world: load_photo(world.tmp / "none.jpg"),
        "none.jpg: no such file; check the name and the photo folder",
    ),
    "a folder": (_folder, "a.jpg: is a folder, not a photo; name a file in it"),
    "a link to itself": (
        _link_to_itself,
        "a.jpg: cannot be read (Too many levels of symbolic links); check its permissions",
    ),
    "an endless device": (
        lambda world: load_photo("/dev/zero"),
        "/dev/zero: is not an ordinary file; name a photo file",
    ),
}
