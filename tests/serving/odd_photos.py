"""Files sent as a photo that are none, or a trap; and unusual ones that are photos."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

from serving.running_server import picture

JPEG, PNG = picture(), picture(kind="PNG")
BMP, GIF, TIFF, WEBP = (picture(kind=kind) for kind in ("BMP", "GIF", "TIFF", "WEBP"))


def png(width: int, height: int, *, depth: int = 8, colour: int = 2, data: bytes = b"") -> bytes:
    """A PNG whose header may promise more than it holds."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def bomb(side: int) -> bytes:
    """A small file that unpacks to side x side x 3 bytes."""
    packer = zlib.compressobj(9)
    rows = b"\0" * (3 * side + 1)
    data = b"".join(packer.compress(rows) for _ in range(side)) + packer.flush()
    return png(side, side, data=data)


def made(mode: str, kind: str, **options) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (64, 48)).save(file, kind, **options)
    return file.getvalue()


def frames(kind: str) -> bytes:
    file = io.BytesIO()
    pictures = [Image.new("RGB", (64, 48), (i * 60, 0, 0)) for i in range(3)]
    pictures[0].save(file, kind, save_all=True, append_images=pictures[1:])
    return file.getvalue()


def patched(content: bytes, at: int, value: bytes) -> bytes:
    return content[:at] + value + content[at + len(value) :]


def webp_of(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + size


def gif_of(width: int, height: int) -> bytes:
    return patched(GIF, 6, struct.pack("<HH", width, height))


def bmp_of(width: int, height: int) -> bytes:
    return patched(BMP, 18, struct.pack("<ii", width, height))


def jpeg_of(width: int, height: int) -> bytes:
    return patched(JPEG, JPEG.index(b"\xff\xc0") + 5, struct.pack(">HH", height, width))


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="48"><rect/></svg>'
EXTERNAL = (
    b'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>'
)
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 48\nshowpage\n"
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)

# content -> (status, code)
BAD: dict[str, tuple[bytes, int, str]] = {
    "empty": (b"", 422, "damaged"),
    "one byte": (b"\xff", 415, "not_an_image"),
    "text": (b"no photo", 415, "not_an_image"),
    "zeros": (bytes(5000), 415, "not_an_image"),
    "utf-16 text": ("照片".encode("utf-16"), 415, "not_an_image"),
    "json": (b'{"photo": 1}', 415, "not_an_image"),
    "shell script": (b"#!/bin/sh\nrm -rf /\n", 415, "not_an_image"),
    "elf": (b"\x7fELF" + bytes(100), 415, "not_an_image"),
    "eps": (EPS, 415, "not_an_image"),
    "dos eps": (b"\xc5\xd0\xd3\xc6" + bytes(28) + EPS, 415, "not_an_image"),
    "ico header only": (b"\0\0\1\0\1\0", 415, "format"),
    "svg": (SVG, 415, "format"),
    "svg with entity": (EXTERNAL, 415, "format"),
    "html": (b"<!DOCTYPE html><html></html>", 415, "format"),
    "pdf": (b"%PDF-1.7\n", 415, "format"),
    "zip": (b"PK\x03\x04" + bytes(40), 415, "format"),
    "photoshop": (b"8BPS\0\1" + bytes(40), 415, "format"),
    "heic": (HEIC, 415, "format"),
    "heif": (HEIC.replace(b"ftypheic", b"ftypmif1"), 415, "format"),
    "avif": (HEIC.replace(b"ftypheic", b"ftypavif"), 415, "format"),
    "video": (HEIC.replace(b"ftypheic", b"ftypisom"), 415, "format"),
    "jpeg 2000": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40), 415, "format"),
    "jpeg xl": (b"\xff\x0a" + bytes(40), 415, "format"),
    "pcx": (b"\x0a\5\1\x08" + bytes(124), 415, "not_an_image"),
    "ppm": (b"P6 64 48 255\n" + bytes(64 * 48 * 3), 415, "not_an_image"),
    "xbm": (b"#define a_width 64\n#define a_height 48\n", 415, "not_an_image"),
    "fits": (b"SIMPLE  =                    T" + bytes(2850), 415, "not_an_image"),
    "wmf": (b"\xd7\xcd\xc6\x9a" + bytes(40), 415, "format"),
    "tga": (
        bytes([0, 0, 2]) + bytes(9) + struct.pack("<HH", 64, 48) + b"\x18\0",
        415,
        "not_an_image",
    ),
    "jpeg magic alone": (JPEG[:3], 422, "damaged"),
    "jpeg header cut": (JPEG[:100], 422, "damaged"),
    "jpeg without end": (JPEG[: len(JPEG) // 2], 422, "damaged"),
    "jpeg of zeros": (JPEG[:20] + bytes(len(JPEG) - 20), 422, "damaged"),
    "png magic alone": (PNG[:8], 422, "damaged"),
    "png cut": (PNG[: len(PNG) // 2], 422, "damaged"),
    "png checksum": (patched(PNG, 29, b"\0\0\0\0"), 422, "damaged"),
    "png without data": (png(64, 48), 422, "damaged"),
    "png bad stream": (png(64, 48, data=b"garbage"), 422, "damaged"),
    "gif cut": (GIF[: len(GIF) // 2], 422, "damaged"),
    "gif header": (GIF[:6], 422, "damaged"),
    "tiff cut": (TIFF[: len(TIFF) // 2], 422, "damaged"),
    "tiff header": (TIFF[:8], 422, "damaged"),
    "tiff loop": (b"II*\0\x08\0\0\0\0\0\x08\0\0\0", 422, "damaged"),
    "bmp cut": (BMP[: len(BMP) // 2], 422, "damaged"),
    "bmp header": (BMP[:20], 422, "damaged"),
    "webp cut": (WEBP[: len(WEBP) // 2], 422, "damaged"),
    "webp header": (WEBP[:16], 422, "damaged"),
    "tiny": (picture(8, 8, "PNG"), 422, "too_small"),
    "one pixel": (picture(1, 1, "PNG"), 422, "too_small"),
    "strip": (picture(2000, 20, "PNG"), 422, "aspect"),
    "column": (picture(20, 2000), 422, "aspect"),
    "png of 0 pixels": (png(0, 0), 422, "damaged"),
    "png of 10 gigapixels": (png(100_000, 100_000), 413, "too_large"),
    "png of 2^31": (png(2**31 - 1, 2**31 - 1), 413, "too_large"),
    "jpeg of 4 gigapixels": (jpeg_of(65_000, 65_000), 413, "too_large"),
    "gif of 4 gigapixels": (gif_of(65_535, 65_535), 413, "too_large"),
    "bmp of 10 gigapixels": (bmp_of(100_000, 100_000), 413, "too_large"),
    "webp of 268 megapixels": (webp_of(16_383, 16_383), 413, "too_large"),
    "bomb": (bomb(12_000), 413, "too_large"),
    "21 MiB": (JPEG + bytes(21 * 2**20), 413, "too_large"),
}
GOOD: dict[str, bytes] = {
    "cmyk jpeg": made("CMYK", "JPEG"),
    "grey jpeg": made("L", "JPEG"),
    "progressive": picture(progressive=True),
    "16-bit grey png": made("I;16", "PNG"),
    "16-bit rgb png": png(64, 48, depth=16, data=zlib.compress((b"\0" + bytes(384)) * 48)),
    "palette png": made("P", "PNG"),
    "one-bit png": made("1", "PNG"),
    "transparent png": made("RGBA", "PNG"),
    "lossless webp": picture(kind="WEBP", lossless=True),
    "animated gif": frames("GIF"),
    "animated webp": frames("WEBP"),
    "tiff of pages": frames("TIFF"),
    "cmyk tiff": made("CMYK", "TIFF"),
    "trailing bytes": JPEG + b"<script>",
    "81 megapixels": bomb(9_000),
}
