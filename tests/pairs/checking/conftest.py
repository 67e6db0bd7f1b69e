"""Clean photos and texts, one table of them, and a check that gives the findings by code."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hazardscribe.pairs.checking.check import CheckReport, check
from hazardscribe.pairs.checking.findings import Finding

OBJECTS = ("配电箱", "灭火器", "气瓶", "脚手架", "临边护栏", "电缆", "安全出口", "洞口", "梯子", "货架")
DEFECTS = ("未上锁", "已超期", "未固定", "缺少扣件", "被拆除", "破损裸露", "被杂物堵塞", "未覆盖")

Line = dict[str, str]
MakeTable = Callable[..., Path]
Find = Callable[..., dict[str, Finding]]


def picture(seed: int, size: tuple[int, int] = (200, 160)) -> Image.Image:
    """A photo with edges, shades and grain that depends on the seed alone."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(30, 226, (9, 11, 3), dtype=np.uint8))
    blocks = np.asarray(small.resize(size, Image.Resampling.NEAREST), dtype=np.int16)
    grain = rng.normal(0, 8, blocks.shape)
    return Image.fromarray(np.clip(blocks + grain, 0, 255).astype(np.uint8))


def text(number: int) -> str:
    """One of 80 different good descriptions."""
    return f"{OBJECTS[number % 10]}{DEFECTS[number // 10 % 8]}，存在安全隐患"


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
