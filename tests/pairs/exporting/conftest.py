"""Pairs from a few rows."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from export_files import photo

from hazardscribe.pairs.read import Pairs, read_pairs

MakePairs = Callable[..., Pairs]


@pytest.fixture
def make_pairs(tmp_path: Path) -> MakePairs:
    """Pairs from rows of (photo file, description, other cells), splits train by default."""

    def make(rows: list[dict[str, str]]) -> Pairs:
        names = list(dict.fromkeys(name for row in rows for name in row))
        if "split" not in names:
            names.append("split")
        with (tmp_path / "pairs.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, names)
            writer.writeheader()
            writer.writerows({"split": "train"} | row for row in rows)
        return read_pairs(tmp_path / "pairs.csv", check_photos=False, dev_share=0)

    return make


@pytest.fixture
def one(tmp_path: Path, make_pairs: MakePairs) -> Callable[..., Pairs]:
    """A single pair with this description and these further cells."""

    def make(description: str, **others: str) -> Pairs:
        photo(tmp_path / "p.jpg")
        return make_pairs([{"photo": "p.jpg", "description": description, **others}])

    return make
