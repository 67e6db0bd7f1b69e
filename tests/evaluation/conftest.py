"""Eight photos whose scores can be counted by hand."""

from __future__ import annotations

import pytest

from hazardscribe.evaluation import Case


@pytest.fixture
def cases() -> list[Case]:
    """Eight photos, four with a hazard; the model misses one and raises one false alarm."""
    no_hat, no_vest, safe = "一名工人未戴安全帽", "两名工人未穿反光背心", "未发现明显隐患"
    return [
        Case("0.jpg", [no_hat], "现场一名工人未戴安全帽", True),
        Case("1.jpg", [no_hat], safe, True),
        Case("2.jpg", [no_vest], "三名工人未穿反光衣", True),
        Case("3.jpg", [f"{no_hat}，{no_vest}"], no_hat, True),
        Case("4.jpg", [safe], safe, False),
        Case("5.jpg", ["三名工人均佩戴安全帽，未见隐患"], no_vest, False),
        Case("6.jpg", ["现场两名工人未发现隐患"], "照片模糊，无法判断是否存在隐患", False),
        Case("7.jpg", ["四名工人，未见明显隐患"], "", False),
    ]
