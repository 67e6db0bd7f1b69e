"""Several hazards in one cell, taken apart at their numbers: `1、… 2、…`, `(1)…(2)…`, `①…②…`."""

from __future__ import annotations

import re
import unicodedata

# A marker stands at the start or behind a sign that ends a sentence or a word. A point with a
# digit behind it belongs to a measure: 1.5米.
_BEFORE = r"(?:(?<=^)|(?<=[\s;；。,，、.:：!！?？)）]))"
_STYLES = (
    re.compile(r"[(（]\s*(?P<number>\d{1,2})\s*[)）]\s*[、.．:：]?\s*"),
    re.compile(r"(?P<number>[①-⑳])\s*[、.．:：]?\s*"),
    re.compile(_BEFORE + r"(?P<number>\d{1,2})\s*(?:、|[.．](?!\d)|[)）]|[:：](?!\d))\s*"),
    re.compile(r"[(（](?P<number>[一二三四五六七八九十])[)）]\s*[、.．:：]?\s*"),
    re.compile(_BEFORE + r"(?P<number>[一二三四五六七八九十])\s*[、.．]\s*"),
)
_ENDS = " \t\r\n;；,，、"


def split_numbered(text: str) -> list[str]:
    """The hazards of a cell that numbers them 1, 2, 3 ...; the text itself where it does not.

    The numbers must begin with 1 at the start of the text, or behind an opening that ends in a
    colon (`现场存在以下问题：1、…`), which is left out. A number behind which nothing stands gives
    an empty text: `1、…；2、；3、…`. `1、2、3号配电箱` is no such list.
    """
    for style in _STYLES:
        cuts: list[tuple[int, int]] = []
        for match in style.finditer(text):
            if _value(match["number"]) == len(cuts) + 1:
                cuts.append(match.span())
        if len(cuts) < 2:
            continue
        opening = text[: cuts[0][0]].strip()
        if opening and not opening.endswith((":", "：")):
            continue
        ends = [start for start, _ in cuts[1:]] + [len(text)]
        raw = [text[after:end] for (_, after), end in zip(cuts, ends, strict=True)]
        parts = [part.strip(_ENDS) for part in raw]
        if parts[0] and all(raw[1:-1]):
            return parts
    return [text]


def _value(number: str) -> int:
    """Of digits, or of one sign: ① and 一 are 1."""
    return int(number) if number.isdecimal() else int(unicodedata.numeric(number))
