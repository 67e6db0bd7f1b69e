"""Photos of every kind, and a workbook as a program sees it that shares nothing with ours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
from PIL import Image


@dataclass
class Seen:
    """A sheet as another program sees it: header, rows of cells, picture bytes by (row, column)."""

    header: list[Any]
    rows: list[list[Any]]
    pictures: dict[tuple[int, int], bytes]
    sheet: Any


def see(path: Path) -> list[Seen]:
    sheets = []
    for sheet in openpyxl.load_workbook(path):
        rows = [list(row) for row in sheet.iter_rows(values_only=True)]
        pictures = {}
        for image in sheet._images:
            corner = image.anchor._from
            image.ref.seek(0)
            assert (corner.row, corner.col) not in pictures
            pictures[corner.row, corner.col] = image.ref.read()
        sheets.append(Seen(rows[0], rows[1:], pictures, sheet))
    return sheets


def photo(path: Path, seed: int = 0, size: tuple[int, int] = (72, 64), **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 7, 3), dtype=np.uint8))
    image = coarse.resize(size, Image.Resampling.BICUBIC).convert(options.pop("mode", "RGB"))
    image.save(path, **options)
    return path


def turned(path: Path, seed: int = 0) -> Path:
    """A photo as a phone held upright stores it: lying, with a mark to turn it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return photo(path, seed, (96, 64), exif=exif)
