"""Dates in the dress of ledgers, as ISO 8601.

What is not certainly one date stays as written: `1月3日` lacks its year, `1/3/2025` its order.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, timedelta

_CLOCK = (
    r"(?:[ T]*(?P<noon>上午|下午|早上|中午|晚上|am|pm)?[ T]*"
    r"(?:(?P<hour>\d{1,2})(?:[:时点](?P<minute>\d{1,2})"
    r"(?:[:分](?P<second>\d{1,2})(?:\.\d+)?秒?|分)?|[时点]整?))?)?"
)
_YEAR_FIRST = re.compile(
    r"(?P<year>(?:19|20)\d\d) ?[-./年] ?(?P<month>\d{1,2}) ?[-./月] ?(?P<day>\d{1,2}) ?[日号]?"
    rf"{_CLOCK}z?"
)
_COMPACT = re.compile(r"(?P<year>(?:19|20)\d\d)(?P<month>\d\d)(?P<day>\d\d)")
_MONTH_ONLY = re.compile(
    r"(?P<year>(?:19|20)\d\d) ?(?:年 ?(?P<month>\d{1,2}) ?月份?|[-/](?P<other>\d{1,2}))"
)
_NAMED = re.compile(
    r"(?:(?P<day>\d{1,2})[- ](?P<name>[a-z]{3,9})\.?[- ,]+(?P<year>(?:19|20)\d\d)"
    r"|(?P<name2>[a-z]{3,9})\.? (?P<day2>\d{1,2})(?:st|nd|rd|th)?,? (?P<year2>(?:19|20)\d\d))"
)
_CHINESE = re.compile(
    r"(?P<year>[〇零○一二三四五六七八九]{4})年"
    r"(?P<month>[一二三四五六七八九十]{1,2})月(?P<day>[一二三四五六七八九十]{1,3})[日号]"
)
_SIGNS = {"〇": 0, "零": 0, "○": 0} | {sign: n for n, sign in enumerate("一二三四五六七八九", 1)}
_SERIAL = re.compile(r"\d{5}(?:\.\d+)?")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def iso_date(text: str) -> str:
    """`2025-01-03` (with `T14:30` where a time other than midnight stands) or the text as written.

    A number of five digits from 1954 to 2119 is taken for an Excel serial (1900 system).
    """
    plain = unicodedata.normalize("NFKC", text).strip().casefold()
    plain = _CHINESE.sub(_digits, plain)
    plain = re.sub(r"\s*[(（]?(?:星期|周)[一二三四五六日天][)）]?", "", plain)
    if _SERIAL.fullmatch(plain) and 20000 <= float(plain) < 80500:
        moment = datetime(1899, 12, 30) + timedelta(days=float(plain))
        moment = moment.replace(microsecond=0) + timedelta(seconds=moment.microsecond >= 500_000)
        return _write(moment)
    match = _YEAR_FIRST.fullmatch(plain.replace("t", " ")) or _COMPACT.fullmatch(plain)
    try:
        if match:
            parts = match.groupdict()
            hour, minute, second = (int(parts.get(n) or 0) for n in ("hour", "minute", "second"))
            noon = parts.get("noon")
            late = noon in ("下午", "晚上", "pm") or (noon == "中午" and hour < 11)
            if late and 0 < hour < 12:
                hour += 12
            year, month, day = (int(parts[n]) for n in ("year", "month", "day"))
            return _write(datetime(year, month, day, hour, minute, second))
        if match := _MONTH_ONLY.fullmatch(plain):
            return date(int(match["year"]), int(match["month"] or match["other"]), 1).strftime(
                "%Y-%m"
            )
        if match := _NAMED.fullmatch(plain):
            name = (match["name"] or match["name2"])[:3]
            if name in _MONTHS:
                month_number = _MONTHS.index(name) + 1
                of, on = match["year"] or match["year2"], match["day"] or match["day2"]
                return date(int(of), month_number, int(on)).isoformat()
    except ValueError:  # the 31st of February
        pass
    return text.strip()


def _digits(match: re.Match[str]) -> str:
    """`二〇二五年十一月三日` with digits."""

    def number(text: str) -> int:
        tens, ten, ones = text.rpartition("十")
        return (_SIGNS.get(tens, 1) if ten else 0) * 10 + _SIGNS.get(ones, 0)

    year = "".join(str(_SIGNS[sign]) for sign in match["year"])
    return f"{year}年{number(match['month'])}月{number(match['day'])}日"


def _write(moment: datetime) -> str:
    if (moment.hour, moment.minute, moment.second) == (0, 0, 0):
        return moment.date().isoformat()
    return moment.isoformat(timespec="seconds" if moment.second else "minutes")
