"""Small photos that are all different, and tables that name them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_tables import NAMES

MakePhoto = Callable[..., Path]


@pytest.fixture
def make_photo(tmp_path: Path) -> MakePhoto:
    """Write a photo whose content depends on the seed alone; the suffix decides the format."""

    def make(name: str, seed: int | None = None) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(abs(hash_of(name)) if seed is None else seed)
        coarse = Image.fromarray(rng.integers(0, 256, (8, 9, 3), dtype=np.uint8))
        coarse.resize((72, 64), Image.Resampling.BICUBIC).save(path)
        return path

    return make


@pytest.fixture
def folder(tmp_path: Path, make_photo: MakePhoto) -> Path:
    """A folder with the photos that the small tables name."""
    for name in NAMES:
        make_photo(name)
    return tmp_path


def hash_of(text: str) -> int:
    return sum(31**place * ord(sign) for place, sign in enumerate(text)) % 2**32
