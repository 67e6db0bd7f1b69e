"""What is uploaded as a photo and is none, or is a trap: the right refusal, and bounded memory."""

from __future__ import annotations

import base64
import io
import resource
import struct
import zlib

import httpx
import pytest
from PIL import Image
from running_server import picture, running

from hazardscribe.serving.errors import ApiError

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
    "wmf": (b"\xd7\xcd\xc6\x9a" + bytes(40), 415, "not_an_image"),
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
NAMES = ("../../etc/passwd", "a\\..\\b.jpg", "x.svg", "照片.jpg", "con", "." * 300, "%2e%2e%2f.jpg")


@pytest.fixture(scope="module")
def address(start, serve_app):
    # The memory of the test's own process counts: nothing may pile up.
    with running(serve_app(start)) as address:
        yield address


def send(address: str, *photos: bytes, name: str = "photo.jpg", **more) -> httpx.Response:
    parts = [("photos", (name, photo, "image/jpeg")) for photo in photos]
    return httpx.post(f"{address}/v1/describe", files=parts, timeout=60, **more)


def test_there_are_sixty_bad_ones():
    assert len(BAD) >= 60


@pytest.mark.parametrize("name", BAD)
def test_a_bad_photo_is_refused_for_what_it_is(address, name):
    content, status, code = BAD[name]
    answer = send(address, content)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert set(answer.json()) == {"error"}
    # A library's words would name its classes, files or bytes.
    text = answer.json()["error"]["message"].lower()
    assert not any(word in text for word in ("pil", "traceback", "error", "bytes", "/"))


@pytest.mark.parametrize("name", GOOD)
def test_an_unusual_photo_is_described(address, name):
    answer = send(address, GOOD[name])
    assert answer.status_code == 200, answer.text
    assert answer.json()["descriptions"][0]["id"]


@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_a_file_means_nothing(address, name):
    assert send(address, JPEG, name=name).status_code == 200


def test_memory_stays_bounded(address):
    def peak() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

    large = bomb(6_000)
    send(address, large)
    before = peak()
    # Each would unpack to 144 MB; together they must not take more than one does.
    answer = send(address, *[large] * 6, *[BAD["bomb"][0]] * 6)
    problems = [one["problem"] for one in answer.json()["descriptions"]]
    assert [problem is None for problem in problems] == [True] * 6 + [False] * 6
    assert peak() - before < 140


def test_a_bad_one_among_good_ones_is_told_of_in_its_place(address):
    answer = send(address, JPEG, b"no photo", PNG, headers={"Accept-Language": "en"}).json()
    first, second, third = answer["descriptions"]
    assert [one["photo"] for one in (first, second, third)] == [0, 1, 2]
    assert first["id"] != third["id"]
    assert second["problem"]["code"] == "not_an_image"
    assert second["problem"]["message"].startswith("The file is not a photo")
    assert second["id"] is None
    assert [finding["photos"] for finding in answer["findings"]] == [[0], [2]]


def test_too_many_photos_and_none(address):
    answer = send(address, *[JPEG] * 21)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many_photos")
    answer = httpx.post(f"{address}/v1/describe", files={"other": b"x"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "no_photo")


@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        ("http://127.0.0.1:1/a.jpg", 400, "not_a_data_url"),
        ("file:///etc/passwd", 400, "not_a_data_url"),
        ("data:text/html;base64,AAAA", 400, "not_a_data_url"),
        ("data:image/png,AAAA", 400, "not_a_data_url"),
        ("data:image/png;base64,####", 400, "bad_base64"),
        ("data:image/png;base64,", 400, "damaged"),
        (f"data:image/svg+xml;base64,{base64.b64encode(SVG).decode()}", 400, "format"),
        (f"data:image/png;base64,{base64.b64encode(png(10**5, 10**5)).decode()}", 413, "too_large"),
    ],
)
def test_a_data_url_that_holds_no_photo(address, url, status, code):
    model = httpx.get(f"{address}/v1/models").json()["data"][0]["id"]
    content = [{"type": "image_url", "image_url": {"url": url}}]
    body = {"model": model, "messages": [{"role": "user", "content": content}]}
    answer = httpx.post(f"{address}/v1/chat/completions", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_the_reasons_of_the_loader_are_all_known():
    from hazardscribe.errors import PhotoError
    from hazardscribe.serving.errors import photo_error

    for reason in ("missing", "not_an_image", "format", "too_large", "aspect", "too_small"):
        error = photo_error(PhotoError(reason, "/secret/path"), 2)
        assert isinstance(error, ApiError)
        assert error.code == reason
        assert "第 3 张" in error.zh
        assert "secret" not in error.zh + error.en
