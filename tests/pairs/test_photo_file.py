"""What is no photo is told by its file, and each kind of photo by its first bytes."""

import hashlib
import sys
from pathlib import Path

import pytest
from photo_bytes import encode, photo_like, refused

from hazardscribe.errors import PhotoError
from hazardscribe.pairs.photo_file import photo_digest, photo_suffix


def test_text_named_jpg(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_text("这不是照片", encoding="utf-8")
    error = refused(path)
    assert error.reason == "not_an_image"
    assert "photo.jpg" in str(error)


@pytest.mark.parametrize(
    ("head", "word"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypavif\0\0\0\0", "AVIF"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "video"),
        (b"%PDF-1.7\n", "PDF"),
        (b"PK\x03\x04" + bytes(30), "Office"),
        (b"8BPS\0\1", "Photoshop"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"<?xml version='1.0'?><svg xmlns=''>", "SVG"),
        (b"\0\0\1\0\1\0", "icon"),
    ],
)
def test_foreign_format_is_named(head: bytes, word: str) -> None:
    error = refused(head + bytes(64))
    assert error.reason == "format"
    assert word in str(error)
    assert "JPEG" in str(error)


def test_only_the_listed_formats_are_tried() -> None:
    for kind in ("PPM", "ICO", "TGA", "PCX", "SGI"):
        assert refused(encode(photo_like(64, 64), kind)).reason in ("not_an_image", "format")


def test_missing_folder_empty_and_pipe(tmp_path: Path) -> None:
    assert refused(tmp_path / "nowhere.jpg").reason == "missing"
    assert refused(tmp_path / "file.jpg" / "x").reason == "missing"
    assert refused(tmp_path / ("x" * 300 + ".jpg")).reason == "missing"
    assert refused(Path(str(tmp_path) + "/a\0b.jpg")).reason == "missing"
    assert refused(tmp_path).reason == "not_an_image"
    (tmp_path / "empty.jpg").touch()
    assert refused(tmp_path / "empty.jpg").reason == "damaged"
    assert refused(b"").reason == "damaged"
    if sys.platform != "win32":
        assert refused(Path("/dev/null")).reason == "not_an_image"


def test_digest_and_suffix(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode(photo_like(64, 64), "PNG"))
    content = path.read_bytes()
    assert photo_digest(path) == photo_digest(str(path)) == hashlib.sha256(content).hexdigest()
    assert photo_digest(content) == photo_digest(path)
    assert photo_suffix(content) == ".png"
    assert photo_suffix(b"nothing") == ".bin"
    with pytest.raises(PhotoError) as caught:
        photo_digest(tmp_path / "no.png")
    assert caught.value.reason == "missing"
