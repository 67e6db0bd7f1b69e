"""How wide a column and how high a row must be to read well.

A spreadsheet does not fit itself to its content when it is written by a program. Widths are in
characters as Excel counts them (one Latin digit); a Chinese character takes two.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

LINE_HEIGHT = 20
"""Pixels of one line of text at the default size."""

MAX_ROW_HEIGHT = 545
"""Pixels; Excel's limit is 409 points."""

NARROWEST, WIDEST = 8.0, 50.0
_FILTER_BUTTON = 3  # beside the header's text
_MARGIN = 2


def display_width(text: str) -> int:
    """Characters that a line of text takes: two for each full-width one, none for accents."""
    return sum(
        2 if unicodedata.east_asian_width(sign) in "WF" else 0 if unicodedata.combining(sign) else 1
        for sign in text
    )


def column_width(header: str, texts: Iterable[str], *, widest: float = WIDEST) -> float:
    """Width that shows the header and nine tenths of the texts without a break, within bounds.

    One long remark must not stretch its column over the whole screen: it is wrapped.
    """
    lengths = sorted(
        max((display_width(line) for line in text.split("\n")), default=0) for text in texts if text
    )
    usual = lengths[(len(lengths) - 1) * 9 // 10] if lengths else 0
    wanted = max(display_width(header) + _FILTER_BUTTON, usual + _MARGIN, NARROWEST)
    return float(min(wanted, max(widest, NARROWEST)))


def line_count(text: str, width: float) -> int:
    """Lines that a text takes when it is wrapped in a column of this width."""
    if not text:
        return 0
    # Words are not cut, so a line is seldom full.
    room = max(1.0, width - 1)
    return sum(max(1, -int(-display_width(line) // room)) for line in text.split("\n"))


def row_height(
    texts: Sequence[str], widths: Sequence[float], most: Sequence[int | None], picture: int = 0
) -> int:
    """Height in pixels that shows the texts and the picture.

    Args:
        texts: the row's cells.
        widths: the columns' widths in characters.
        most: the most lines that a column may ask for; None for as many as it has.
        picture: height that the row's picture needs, with its margins.
    """
    lines = 1
    for text, width, limit in zip(texts, widths, most, strict=True):
        wanted = line_count(text, width)
        lines = max(lines, wanted if limit is None else min(wanted, limit))
    return min(MAX_ROW_HEIGHT, max(lines * LINE_HEIGHT + 4, picture))
