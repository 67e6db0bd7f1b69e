"""Both sums hold for any ledger at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_files import photo_bytes

from hazardscribe.pairs.ledger.account import Account
from hazardscribe.pairs.ledger.drafts import Options
from hazardscribe.pairs.ledger.gathering import Gatherer
from hazardscribe.pairs.ledger.grid import CellRange, Picture, Row, Sheet
from hazardscribe.pairs.ledger.importing import _settle
from hazardscribe.pairs.ledger.keeping import keep_photos
from hazardscribe.pairs.ledger.sources import LedgerPhotos
from hazardscribe.pairs.ledger.unseeable import load_unseeable

GOOD = [photo_bytes(seed) for seed in range(3)]
CELLS = st.sampled_from(
    ["", "", "护栏缺失", "灯损坏", "/", "同上", "合计", "无证上岗", "1、甲 2、乙", "a.png", "x.png",
     "备注：急", "审核人：", "隐患描述", "照片", "2025.1.3", "train", "未整改", "7"]
)  # fmt: skip
NAMES = st.sampled_from(
    [
        "隐患描述",
        "照片",
        "整改后照片",
        "地点",
        "整改情况",
        "序号",
        "日期",
        "划分",
        "照片",
        "备注",
        "",
    ]
)


class Grid:
    """A ledger made of nothing but lists."""

    def __init__(
        self,
        rows: Sequence[tuple[Sequence[str], bool]],
        merges: Sequence[CellRange],
        pictures: Sequence[Picture],
        hidden: bool,
        unplaced: int,
    ) -> None:
        self.sheets = (Sheet("台账", hidden, 0),)
        self._rows, self._merges, self._pictures = rows, merges, pictures
        problem = ("picture_format", "EMF")
        self.unplaced = tuple(Picture("", 0, 0, 0, f"{n}.emf", problem) for n in range(unplaced))

    def rows(self, sheet: Sheet) -> Iterator[Row]:
        for number, (cells, hidden) in enumerate(self._rows, start=1):
            yield Row(number, tuple(cells), hidden)

    def merges(self, sheet: Sheet) -> Sequence[CellRange]:
        return self._merges

    def pictures(self, sheet: Sheet) -> Sequence[Picture]:
        return self._pictures

    def read_picture(self, picture: Picture) -> bytes:
        return b"GIF89a" if picture.member == "bad" else GOOD[int(picture.member)]


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    width = draw(st.integers(1, 6))
    above = draw(st.lists(st.lists(CELLS, max_size=width), max_size=2))
    header = draw(st.lists(NAMES, min_size=width, max_size=width))
    body = draw(st.lists(st.lists(CELLS, max_size=width + 1), max_size=12))
    rows = [(row, draw(st.booleans()) and draw(st.booleans())) for row in [*above, header, *body]]
    merges = []
    for _ in range(draw(st.integers(0, 3))):
        first, column = draw(st.integers(1, len(rows))), draw(st.integers(1, width))
        last, right = draw(st.integers(first, len(rows) + 1)), draw(st.integers(column, width))
        apart = all(
            last < m.first_row or first > m.last_row or right < m.first_column
            or column > m.last_column
            for m in merges
        )  # fmt: skip
        if apart and (last, right) != (first, column):
            merges.append(CellRange(first, column, last, right))
    pictures = []
    for _ in range(draw(st.integers(0, 5))):
        row, column = draw(st.integers(1, len(rows) + 2)), draw(st.integers(1, width + 2))
        member = draw(st.sampled_from(["0", "1", "2", "bad"]))
        problem = ("picture_format", "EMF") if draw(st.integers(0, 5)) == 0 else None
        pictures.append(Picture("台账", row, column, column, member, problem))
    return Grid(rows, merges, pictures, draw(st.integers(0, 9)) == 0, draw(st.integers(0, 2)))


@settings(max_examples=150)
@given(grid=grids(), numbered=st.booleans(), text_file=st.booleans())
def test_the_sums_hold_for_any_grid(grid: Grid, numbered: bool, text_file: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a.png").write_bytes(GOOD[0])
        account = Account()
        options = Options({}, (), numbered, load_unseeable(), "")
        gatherer = Gatherer(account, options)
        gatherer.gather(
            "t",
            grid,
            LedgerPhotos(Path(folder), None),
            lambda wanted: keep_photos(wanted, None),
            text_file=text_file,
        )
        rows = _settle(gatherer, account, options, [])
        account.settle({"t": 0})
    assert account.rows_imported + account.rows_rejected == account.rows_read
    assert account.pictures_used + account.pictures_unused == account.pictures_found
    assert account.pictures_found >= len(grid._pictures) + len(grid.unplaced)
    assert sum(bool(row.photos) for row in rows) == account.rows_imported
    rejected = [one.row for one in account.left if one.kind == "row"]
    assert len(rejected) == len(set(rejected))
    assert set(rejected).isdisjoint(row.draft.spot.row for row in rows if row.photos)


def test_a_sum_that_does_not_hold_is_a_defect() -> None:
    account = Account(rows_read=2, rows_imported=1)
    with pytest.raises(AssertionError, match="rows does not add up"):
        account.settle({})
    account = Account(pictures_found=1)
    with pytest.raises(AssertionError, match="pictures does not add up"):
        account.settle({})
