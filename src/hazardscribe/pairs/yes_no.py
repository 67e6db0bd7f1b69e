"""What a cell says that is yes or no, such as whether a photo shows a hazard."""

from __future__ import annotations

import unicodedata

_YES = frozenset(("1", "1.0", "true", "yes", "y", "hazard", "是", "有", "有隐患"))
_NO = frozenset(("0", "0.0", "false", "no", "n", "no hazard", "否", "无", "无隐患", "没有隐患"))


def read_yes_no(cell: object) -> bool | None:
    """Yes or no, None where a cell says neither; width and case do not matter."""
    word = unicodedata.normalize("NFKC", "" if cell is None else str(cell)).strip().casefold()
    return True if word in _YES else False if word in _NO else None
