"""Clean photos and texts, one table of them, and a check that gives the findings by code."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_photos import picture, text

from hazardscribe.pairs.checking.check import CheckReport, check
from hazardscribe.pairs.checking.findings import Finding

Line = dict[str, str]
MakeTable = Callable[..., Path]
Find = Callable[..., dict[str, Finding]]


@pytest.fixture
def lines(tmp_path: Path) -> list[Line]:
    """Twelve rows without a fault: 8 train, 2 dev, 2 validation, photos written."""
    (tmp_path / "photos").mkdir()
    rows = []
    for number in range(12):
        name = f"photos/{number:02}.png"
        picture(number).save(tmp_path / name)
        split = "train" if number < 8 else "dev" if number < 10 else "validation"
        rows.append({"photo": name, "description": text(number * 7), "split": split})
    return rows


@pytest.fixture
def write(tmp_path: Path) -> MakeTable:
    def made(rows: list[Line], name: str = "pairs.csv") -> Path:
        columns = list(dict.fromkeys(key for row in rows for key in row))
        with (tmp_path / name).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, columns, restval="")
            writer.writeheader()
            writer.writerows(rows)
        return tmp_path / name

    return made


@pytest.fixture
def report(write: MakeTable) -> Callable[..., CheckReport]:
    def made(rows: list[Line], **options: Any) -> CheckReport:
        return check(write(rows), **options)

    return made


@pytest.fixture
def find(report: Callable[..., CheckReport]) -> Find:
    """Findings by code, without the hint on splits that every small set of pairs gets."""

    def made(rows: list[Line], **options: Any) -> dict[str, Finding]:
        findings = report(rows, **options).findings
        return {one.code: one for one in findings if one.code != "split_small"}

    return made
