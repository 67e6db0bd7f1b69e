"""Which photos are found."""

from __future__ import annotations

import os

import pytest

from hazardscribe.describing.sources import find_photos
from hazardscribe.errors import InputError


@pytest.mark.parametrize("suffix", ["JPG", "jfif", "jpe", "heic", "HEIF", "avif"])
def test_no_photo_of_a_folder_is_passed_over(tmp_path, suffix):
    photo = tmp_path / f"a.{suffix}"
    photo.write_bytes(b"")
    (tmp_path / "notes.txt").write_bytes(b"")
    assert find_photos([tmp_path]) == [str(photo)]


def test_a_photo_that_is_named_twice_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "ds"
    folder.mkdir()
    for name in ("0.jpg", "1.jpg"):
        (folder / name).write_bytes(b"")
    one, other = os.path.join("ds", "0.jpg"), os.path.join("ds", "1.jpg")  # noqa: PTH118
    dotted = os.path.join(".", one)  # noqa: PTH118
    assert find_photos([dotted, "ds", folder, "ds/*.jpg", one]) == [dotted, other]
    assert find_photos(["gone.jpg", "./gone.jpg"]) == ["gone.jpg"]


def test_what_is_hidden_or_no_file_is_no_photo(tmp_path):
    for name in ("0.jpg", "._0.jpg", ".trash/1.jpg", "d.jpg/2.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    inside = [str(tmp_path / name) for name in ("0.jpg", "d.jpg/2.jpg")]
    assert find_photos([tmp_path]) == inside
    assert find_photos([str(tmp_path / "*.jpg")]) == inside[:1]
    with pytest.raises(InputError, match="matches no file"):
        find_photos([str(tmp_path / "d*.jpg")])
    hidden = tmp_path / ".trash"  # named, so it is meant
    assert find_photos([hidden]) == [str(hidden / "1.jpg")]
