"""What counts as yes and no, wherever a cell is read."""

from __future__ import annotations

import pytest

from hazardscribe.evaluation.rows import hazard_of
from hazardscribe.pairs.yes_no import read_yes_no


@pytest.mark.parametrize(
    "cell", ["1", "１", 1, 1.0, True, "Y", " yes ", "是", "有", "有隐患", "Hazard"]
)
def test_yes(cell):
    assert read_yes_no(cell) is True
    assert hazard_of({"hazard": cell}) is True


@pytest.mark.parametrize("cell", ["0", "０", 0, False, "N", "否", "无", "无隐患", "no hazard"])
def test_no(cell):
    assert read_yes_no(cell) is False
    assert hazard_of({"hazard": cell}) is False


@pytest.mark.parametrize("cell", [None, "", " ", "2", "可能", float("nan")])
def test_neither(cell):
    assert read_yes_no(cell) is None
    assert hazard_of({"hazard": cell}) is None
