"""What could hurt is refused before a pixel is unpacked."""

import io
import struct
import warnings
import zlib
from pathlib import Path

import pytest
from photo_bytes import encode, photo_like, png, refused
from PIL import Image, ImageFile

from hazardscribe.errors import PhotoError
from hazardscribe.pairs.photo import load_photo
from hazardscribe.pairs.photo_limits import PhotoLimits


def test_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = 13_000  # 507 MB of pixels
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(bytes(1 + 3 * side)) for _ in range(64)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = b"\x89PNG\r\n\x1a\n"
    for kind, content in ((b"IHDR", head), (b"IDAT", data), (b"IEND", b"")):
        crc = struct.pack(">I", zlib.crc32(kind + content))
        body += struct.pack(">I", len(content)) + kind + content + crc
    path = tmp_path / "bomb.png"
    path.write_bytes(body)

    def decode(self):
        raise AssertionError("the pixels were asked for")

    monkeypatch.setattr(ImageFile.ImageFile, "load", decode)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        error = refused(path)
    assert error.reason == "too_large"
    assert "13000 x 13000" in str(error)
    assert "bomb.png" in str(error)


def test_nothing_of_pillows_own_alarm_shows() -> None:
    """Between Pillow's warning (89 million) and our limit, and above Pillow's error."""
    before = Image.MAX_IMAGE_PIXELS
    rows = zlib.compress(b"")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert refused(png(9_700, 9_700, rows)).reason == "damaged"
        assert refused(png(60_000, 60_000, rows)).reason == "too_large"
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("chunk", ["VP8X", "VP8L", "VP8 "])
def test_huge_webp_canvas(chunk: str) -> None:
    body = {
        "VP8X": struct.pack("<I", 10) + bytes(4) + b"\xff\x3f\x00\xff\x3f\x00",
        "VP8L": struct.pack("<I", 10) + b"\x2f" + struct.pack("<I", 0x3FFF | 0x3FFF << 14),
        "VP8 ": struct.pack("<I", 10) + b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 16383, 16383),
    }[chunk]
    file = b"RIFF" + struct.pack("<I", 64) + b"WEBP" + chunk.encode() + body + bytes(40)
    assert refused(file).reason == "too_large"


def test_strip_icon_and_heavy_file() -> None:
    assert refused(encode(Image.new("RGB", (2100, 100)), "PNG")).reason == "aspect"
    assert load_photo(encode(Image.new("RGB", (2000, 100)), "PNG")).size == (2000, 100)
    assert refused(encode(Image.new("RGB", (64, 15)), "PNG")).reason == "too_small"
    heavy = refused(encode(photo_like(64, 64), "PNG"), limits=PhotoLimits(max_bytes=1000))
    assert heavy.reason == "too_large"
    few = refused(encode(photo_like(64, 64), "PNG"), limits=PhotoLimits(max_pixels=4000))
    assert few.reason == "too_large"


def test_a_jpeg_of_thousands_of_passes_is_refused() -> None:
    """Of 600 KB such a file can keep a decoder busy for a minute."""
    buffer = io.BytesIO()
    Image.new("L", (64, 48), 128).save(buffer, "JPEG", progressive=True)
    content = buffer.getvalue()
    last = content[content.rindex(b"\xff\xda") : -2]
    assert load_photo(content[:-2] + last * 20 + content[-2:]).size == (64, 48)
    with pytest.raises(PhotoError, match="passes") as raised:
        load_photo(content[:-2] + last * 2000 + content[-2:], bound=32)
    assert raised.value.reason == "damaged"


def test_a_film_behind_a_jpeg_does_not_count() -> None:
    """As phones append it for a moving photo; its bytes may look like anything."""
    content = encode(photo_like(640, 480), "JPEG")
    assert load_photo(content + b"\0\0\0\x18ftypmp42" + b"\xff\xda" * 2000).size == (640, 480)
