"""Widths and heights that show the content."""

import pytest

from hazardscribe.pairs.exporting.layout import (
    MAX_ROW_HEIGHT,
    column_width,
    display_width,
    line_count,
    row_height,
)


@pytest.mark.parametrize(
    ("text", "width"), [("abc", 3), ("未戴", 4), ("，Ａ", 4), ("e\u0301", 1), ("", 0), ("ｱ", 1)]
)
def test_a_chinese_character_takes_two(text: str, width: int) -> None:
    assert display_width(text) == width


def test_a_column_fits_its_texts_but_not_one_that_is_very_long() -> None:
    texts = ["二号基坑北侧"] * 30
    assert column_width("地点", texts) == 14
    assert column_width("地点", [*texts, "长" * 500]) == 14
    assert column_width("地点", ["长" * 500] * 3) == 50
    assert column_width("地点", ["a\nb\nlonger line"]) == 13
    assert column_width("隐患整改责任人", []) == 17  # the filter's button stands beside the name
    assert column_width("a", ["1"]) == 8


def test_lines() -> None:
    assert [line_count(text, 11) for text in ("", "a", "隐" * 5, "隐" * 6, "a\n\nb")] == [
        0,
        1,
        1,
        2,
        3,
    ]


def test_a_row_shows_its_text_and_its_picture() -> None:
    short = row_height(["a", "b"], [10, 10], [None, None])
    assert row_height(["a", "隐" * 50], [10, 10], [None, None]) > 5 * short
    assert row_height(["a", "隐" * 50], [10, 10], [None, 1]) == short
    assert row_height(["a", "b"], [10, 10], [None, None], picture=130) == 130
    assert row_height(["隐" * 5000], [10], [None]) == MAX_ROW_HEIGHT
