"""What is a description and what only stands in its place."""

from __future__ import annotations

import pytest

from hazardscribe.pairs.descriptions import clean_text, is_empty
from hazardscribe.pairs.own_words import CANNOT_JUDGE, NO_HAZARD


def test_blanks_at_the_ends_and_runs_of_them_go() -> None:
    assert clean_text("\ufeff 电缆\u3000\n 拖地\u200b ") == "电缆 拖地"
    assert clean_text("１２３；") == "１２３；"  # the written form stays


@pytest.mark.parametrize(
    "text", ["", "/", "／", "无", "同上", "--", "ＮＡ", "N/A", "None", *CANNOT_JUDGE.values()]
)
def test_what_says_nothing(text: str) -> None:
    assert is_empty(text)


@pytest.mark.parametrize("text", ["无证上岗", "ok", "合计", *NO_HAZARD.values()])
def test_what_says_something(text: str) -> None:
    assert not is_empty(text)
