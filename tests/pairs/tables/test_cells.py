"""Values of any type as text, and photos inside tables as files."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from hazardscribe.errors import InputError
from hazardscribe.pairs.tables.cells import cell_text, photo_cell

PHOTO = b"\xff\xd8\xff\xe0 and so on"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "1"),
        (False, "0"),
        (3.0, "3"),
        (0.5, "0.5"),
        (float("nan"), ""),
        (b"ab", "(2 bytes)"),
        ("锈蚀\ud800", "锈蚀?"),
        ({"people": 1, "where": ["东"]}, '{"people": 1, "where": ["东"]}'),
    ],
)
def test_a_value_as_text(value: Any, text: str) -> None:
    assert cell_text(value) == text


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HAZARDSCRIBE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_photos_in_bytes_become_files(cache: Path) -> None:
    kept = Path(photo_cell({"bytes": PHOTO, "path": "a.jpg"}))
    assert kept.read_bytes() == PHOTO
    assert kept.suffix == ".jpg"
    assert photo_cell(PHOTO) == str(kept)
    assert photo_cell([{"bytes": None, "path": "b.jpg"}, b""]) == '["b.jpg", ""]'
    assert [path for path in cache.rglob("*") if path.is_file()] == [kept]


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_whoever_may_read_the_cache_may_read_its_photos(cache: Path) -> None:
    former = os.umask(0o027)
    try:
        kept = Path(photo_cell(PHOTO))
    finally:
        os.umask(former)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o640


def test_a_photo_that_cannot_be_kept_leaves_nothing(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(InputError, match=r"No space left.*HAZARDSCRIBE_CACHE"):
        photo_cell(PHOTO)
    assert not [path for path in cache.rglob("*") if path.is_file()]
