"""Dates in the dress of ledgers, as ISO 8601.

What is not certainly one date stays as written: `1月3日` lacks its year, `1/3/2025` its order, and
the night of a day (晚上12点, 夜里1点) is mostly the next one.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, timedelta

_EARLY = ("凌晨", "清晨", "早晨", "早上", "am")
_LATE = ("下午", "午后", "傍晚", "pm")
_NIGHT = ("晚上", "晚间", "夜里", "夜间", "深夜", "半夜", "午夜")
_HALF = "|".join((*_EARLY, *_LATE, *_NIGHT, "上午", "中午", r"[ap]\.m\."))
_CLOCK = (
    rf"(?:[ ,]*(?:at )?(?P<half>{_HALF})?[ ]*"
    r"(?:(?P<hour>\d{1,2})(?:[:时点](?P<minute>\d{1,2})"
    r"(?:[:分](?P<second>\d{1,2})(?:\.\d+)?秒?|分)?|[时点](?:整|(?P<thirty>半))?|(?= ?[ap]\.?m))"
    r"(?: ?(?P<behind>[ap]\.?m\.?))?)?)?"
)
_YEAR_FIRST = re.compile(
    r"(?P<year>(?:19|20)\d\d) ?[-./年] ?(?P<month>\d{1,2}) ?[-./月] ?(?P<day>\d{1,2}) ?[日号]?"
    rf"{_CLOCK}z?"
)
_NAMED = re.compile(
    r"(?:(?P<day>\d{1,2})[- ](?P<name>[a-z]{3,9})\.?[- ,]+(?P<year>(?:19|20)\d\d)"
    r"|(?P<name2>[a-z]{3,9})\.? (?P<day2>\d{1,2})(?:st|nd|rd|th)?,? (?P<year2>(?:19|20)\d\d))"
    rf"{_CLOCK}"
)
_DOTTED = re.compile(
    rf"(?P<day>\d{{1,2}})\. ?(?P<month>\d{{1,2}})\. ?(?P<year>(?:19|20)\d\d){_CLOCK}"
)
"""With points the day always comes first, as in Germany; with strokes it may be the month."""

_COMPACT = re.compile(r"(?P<year>(?:19|20)\d\d)(?P<month>\d\d)(?P<day>\d\d)")
_MONTH_ONLY = re.compile(
    r"(?P<year>(?:19|20)\d\d) ?(?:年 ?(?P<month>\d{1,2}) ?月份?|[-/](?P<other>\d{1,2}))"
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
    try:
        dashed = re.sub(r"(?<=\d)t(?=\d)", " ", plain)
        forms = ((_YEAR_FIRST, dashed), (_COMPACT, plain), (_DOTTED, plain))
        if match := next((m for form, of in forms if (m := form.fullmatch(of))), None):
            day = date(*(int(match[part]) for part in ("year", "month", "day")))
            return _at(day, match.groupdict())
        if match := _MONTH_ONLY.fullmatch(plain):
            return date(int(match["year"]), int(match["month"] or match["other"]), 1).strftime(
                "%Y-%m"
            )
        if match := _NAMED.fullmatch(plain):
            month = _MONTHS.index((match["name"] or match["name2"])[:3]) + 1
            of, on = match["year"] or match["year2"], match["day"] or match["day2"]
            return _at(date(int(of), month, int(on)), match.groupdict())
    except ValueError:  # the 31st of February, a word that is no month, the night of a day
        pass
    return text.strip()


def _at(day: date, clock: dict[str, str | None]) -> str:
    """A day with its time.

    Raises:
        ValueError: there is no such time, or it may belong to the next day.
    """
    hour, minute, second = (int(clock.get(n) or 0) for n in ("hour", "minute", "second"))
    half = (clock.get("behind") or clock.get("half") or "").replace(".", "")
    if clock.get("hour") and half:
        hour = _of_day(hour, half)
    if clock.get("thirty"):
        minute = 30
    return _write(datetime(day.year, day.month, day.day, hour, minute, second))


def _of_day(hour: int, half: str) -> int:
    """The hour of 24 that an hour of a part of the day is.

    Raises:
        ValueError: it is not certainly one hour of that day.
    """
    if half in _EARLY and hour <= 12:  # 12:30 AM is half past midnight; 凌晨12点 begins its day
        return hour % 12
    if half in _LATE and hour <= 12:
        return hour % 12 + 12
    if half in _NIGHT and 5 <= hour < 12:  # the night of the 3rd ends on the 4th: 夜里1点
        return hour + 12
    if half == "中午" and 0 < hour <= 12:
        return hour + 12 if hour < 11 else hour
    if half == "上午" and hour < 12:  # 上午12点 is noon to people, midnight to Windows
        return hour
    if half in (*_LATE, *_NIGHT, "中午") and hour > 12:
        return hour
    raise ValueError(hour)


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
