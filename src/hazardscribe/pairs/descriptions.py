"""When the text of a cell is a description, and when it only stands where one should."""

from __future__ import annotations

import unicodedata

from hazardscribe.pairs.own_words import CANNOT_JUDGE

_PLACEHOLDERS = frozenset(
    ("", "/", "//", "\\", "无", "暂无", "同上", "同前", "-", "--", "---", "—", "——", ".", "。")
)
_PLACEHOLDERS |= {"n/a", "na", "nan", "none", "null", "#n/a", "#value!", "#ref!", "#name?"}
# What the program itself says in place of a description that it doubts.
_PLACEHOLDERS |= {unicodedata.normalize("NFKC", text).casefold() for text in CANNOT_JUDGE.values()}


def clean_text(text: str) -> str:
    """The text as written, without blanks at the ends; inner runs of blanks become one space."""
    return " ".join(text.replace("\u200b", "").replace("\ufeff", "").split())


def is_empty(text: str) -> bool:
    """Whether a cleaned description says nothing: blank, `/`, 无, 同上, N/A and the like."""
    return unicodedata.normalize("NFKC", text).casefold().strip() in _PLACEHOLDERS
