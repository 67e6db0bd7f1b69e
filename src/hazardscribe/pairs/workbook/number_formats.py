"""Numbers as a person sees them in the cell: dates as ISO, percent, decimals, leading zeros.

A workbook stores dates and numbers alike as floating point; only the format of the cell says which
it is. Dates come out as `2025-01-03`, `2025-01-03 14:30` or `14:30` whatever order the format
shows them in, so that what follows can compare them. Formats with conditions, fractions or
exponents are shown as "General" would.

Source: ISO/IEC 29500-1, 18.8.30 and 18.8.31 (built-in formats, among them the Chinese ones that
`openpyxl` does not know), 18.17.4 (date systems).
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

_BUILT_IN = {
    **{0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%"},
    **{11: "0.00E+00", 12: "# ?/?", 13: "# ??/??", 14: "m/d/yyyy", 15: "d-mmm-yy", 16: "d-mmm"},
    **{17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss"},
    **{22: "m/d/yyyy h:mm", 37: "#,##0;-#,##0", 38: "#,##0;-#,##0", 39: "#,##0.00;-#,##0.00"},
    **{40: "#,##0.00;-#,##0.00", 41: "#,##0", 42: "#,##0", 43: "#,##0.00", 44: "#,##0.00"},
    **{45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss", 48: "0.00E+00", 49: "@"},
    # In Chinese Excel these are 2025年1月3日, 1月3日, 14时30分 and the like.
    **dict.fromkeys((27, 28, 29, 30, 31, 36, 50, 51, 52, 53, 54, 57, 58), "yyyy-m-d"),
    **{32: "h:mm", 33: "h:mm:ss", 34: "h:mm", 35: "h:mm:ss", 55: "h:mm", 56: "h:mm:ss"},
}

Show = Callable[[str], str]
"""The text of a cell from the number as the file writes it."""

_TOKEN = re.compile(
    r"""(?P<literal>"[^"]*"?|\\.|_.|\*.)|(?P<bracket>\[[^\]]*\]?)|(?P<semicolon>;)
    |(?P<general>General|G/通用格式)|(?P<noon>AM/PM|A/P|上午/下午)
    |(?P<exponent>E[+-])|(?P<date>[ymdhsegba]+)|(?P<digits>[0#?,]+(?:\.[0#?,]*)?|\.[0#?]+)
    |(?P<percent>%)|(?P<other>.)""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_LAST_DAY = 2_958_465  # 9999-12-31


def built_in(number: int) -> str:
    """The code of a format that the file names by number alone."""
    return _BUILT_IN.get(number, "General")


def number_format(code: str, *, from_1904: bool) -> Show:
    """How a format code shows numbers.

    Args:
        code: such as `yyyy"年"m"月"d"日"` or `0.00%`.
        from_1904: the workbook counts days from 1904 (old Macintosh files).
    """
    sections = _sections(code)
    first = sections[0]
    letters = "".join(text for kind, text in first if kind == "date").lower()
    elapsed = any(kind == "elapsed" for kind, _ in first)
    if elapsed or set(letters) & set("ymdhs") or "aaa" in letters:
        return _date_format(letters, elapsed, from_1904)
    if any(kind == "condition" for section in sections for kind, _ in section):
        return general
    if all(_is_plain(section) for section in sections[:3]):
        return general
    shows = [_decimal_format(section) for section in sections[:3]]
    if any(show is None for show in shows):
        return general
    return _by_sign([show for show in shows if show is not None])


def general(written: str) -> str:
    """A number in the format "General": 15 significant digits, no floating-point noise."""
    if written.isdigit() and written.isascii():
        return written
    try:
        value = float(written)
    except ValueError:
        return written
    if value != value or value in (float("inf"), float("-inf")):
        return written
    text = format(value, ".15g")
    if "e" in text and 1e-15 <= abs(value) < 1e21:
        text = format(Decimal(text), "f")
    return "0" if text == "-0" else text.upper()


def iso_text(written: str) -> str:
    """A date cell (`t="d"`, strict workbooks) in the form of the others."""
    day, _, time = written.strip().removesuffix("Z").partition("T")
    time = time.partition(".")[0]
    if not time or (day and time == "00:00:00"):
        return day
    time = time.removesuffix(":00") if time.count(":") == 2 else time
    return f"{day} {time}".strip()


# --- reading a format code -------------------------------------------------------------------


def _sections(code: str) -> list[list[tuple[str, str]]]:
    """Tokens (kind, text) of each section of a code."""
    sections: list[list[tuple[str, str]]] = [[]]
    for match in _TOKEN.finditer(code[:500]):
        kind, text = match.lastgroup or "other", match.group()
        if kind == "semicolon":
            sections.append([])
            continue
        if kind == "bracket":
            inner = text.strip("[]")
            if inner and set(inner.lower()) in ({"h"}, {"m"}, {"s"}):
                kind, text = "elapsed", inner.lower()
            elif inner.startswith("$"):
                kind, text = "literal", inner[1:].rpartition("-")[0] if "-" in inner else inner[1:]
            elif inner[:1] in ("<", ">", "="):
                kind = "condition"
            else:
                continue  # a colour or the like
        elif kind == "literal":
            text = {"\\": text[1:], "_": " ", "*": ""}.get(text[0], text.strip('"'))
        sections[-1].append((kind, text))
    return sections


def _is_plain(section: list[tuple[str, str]]) -> bool:
    return all(kind == "general" or text == "@" for kind, text in section)


# --- dates -----------------------------------------------------------------------------------


def _date_format(letters: str, elapsed: bool, from_1904: bool) -> Show:
    has_time = bool(set(letters) & set("hs"))
    has_day = bool(set(letters) & set("yda")) or ("m" in letters and not has_time)
    seconds = "s" in letters

    def show(written: str) -> str:
        try:
            value = float(written)
        except ValueError:
            return written
        if elapsed:
            return _duration(value, seconds) if abs(value) <= _LAST_DAY else general(written)
        if not 0 <= value < _LAST_DAY + 1:
            return general(written)
        if has_time:  # to the second, as Excel rounds before it takes the time apart
            days, rest = divmod(int(value * 86_400 + 0.5), 86_400)
        else:
            days, rest = int(round(value * 86_400_000) // 86_400_000), 0
        clock = f"{rest // 3600:02}:{rest // 60 % 60:02}" + (f":{rest % 60:02}" if seconds else "")
        if not has_day:
            return clock
        day = _day(days, from_1904)
        return f"{day} {clock}" if has_time else day

    return show


def _day(days: int, from_1904: bool) -> str:
    if from_1904:
        days = min(days, _LAST_DAY - 1462)
        return (datetime.date(1904, 1, 1) + datetime.timedelta(days)).isoformat()
    if days == 0:
        return "1900-01-00"  # what Excel shows for nothing
    if days == 60:
        return "1900-02-29"  # a day that never was, kept for the sake of Lotus 1-2-3
    start = datetime.date(1899, 12, 31) if days < 60 else datetime.date(1899, 12, 30)
    return (start + datetime.timedelta(min(days, _LAST_DAY))).isoformat()


def _duration(value: float, seconds: bool) -> str:
    total = int(abs(value) * 86_400 + 0.5)
    sign = "-" if value < 0 and total else ""
    text = f"{sign}{total // 3600}:{total // 60 % 60:02}"
    return f"{text}:{total % 60:02}" if seconds else text


# --- numbers ---------------------------------------------------------------------------------


def _decimal_format(section: list[tuple[str, str]]) -> Callable[[Decimal], str] | None:
    """How one section shows a number, None where it is beyond plain decimals."""
    kinds = [kind for kind, _ in section]
    if kinds.count("digits") != 1 or {"exponent", "general", "date", "noon"} & set(kinds):
        # Sections of text alone, such as the "-" that accounting shows for zero.
        words = "".join(text for _, text in section)
        return (lambda _: words.strip()) if set(kinds) <= {"literal", "other"} else None
    place = kinds.index("digits")
    if any(text == "/" for kind, text in section if kind == "other"):
        return None  # a fraction
    before = "".join(text for _, text in section[:place]).lstrip()
    after = "".join(text for _, text in section[place + 1 :]).rstrip()
    whole, _, decimals = section[place][1].partition(".")
    scale = 3 * (len(whole) - len(whole.rstrip(",")))  # a comma at the end divides by a thousand
    grouped = "," in whole.rstrip(",")
    width, least = whole.count("0"), decimals.rstrip("#").replace(",", "")
    shift = 2 * kinds.count("percent") - scale
    places = len(decimals.replace(",", ""))
    unit = Decimal(1).scaleb(-places)

    def show(value: Decimal) -> str:
        rounded = value.scaleb(shift).quantize(unit, ROUND_HALF_UP)
        sign = "-" if rounded < 0 else ""
        digits, _, part = format(abs(rounded), "f").partition(".")
        digits = digits.lstrip("0").rjust(width, "0")
        if grouped:
            digits = f"{int(digits or 0):,}".rjust(width, "0") if digits else ""
        while len(part) > len(least) and part.endswith("0"):
            part = part[:-1]
        if not digits and not part and not before.strip() + after.strip():
            digits = "0"
        return f"{sign}{before}{digits}{'.' if part else ''}{part}{after}"

    return show


def _by_sign(shows: list[Callable[[Decimal], str]]) -> Show:
    def show(written: str) -> str:
        try:
            value = Decimal(format(float(written), ".15g"))
        except (ValueError, ArithmeticError):
            return written
        if not value.is_finite() or not abs(value.adjusted()) < 21:
            return general(written)
        try:
            if value < 0 and len(shows) > 1:
                return shows[1](-value)  # the section itself writes the sign
            if value == 0 and len(shows) > 2:
                return shows[2](value)
            return shows[0](value)
        except ArithmeticError:  # more digits than a decimal holds
            return general(written)

    return show
