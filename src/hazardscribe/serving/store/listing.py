"""Which records are meant: filters, search, and pages that do not shift while people add."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, and_

from hazardscribe.serving.store.errors import BadCursorError
from hazardscribe.serving.store.records import clean, searched
from hazardscribe.serving.store.tables import findings

# A word, or a running number as people write it; `searched` has made "no" of "№".
_SOUGHT = re.compile(r"(?:(?:no\.?|#|编号) ?)?(?P<number>[0-9]{1,9})(?!\S)|\S+")


@dataclass(frozen=True, slots=True)
class Filters:
    """Which records; empty fields do not restrict.

    Attributes:
        q: words that all occur in the record's texts, or its running number (`12`, `№12`,
            `No. 12`).
        category, level, status, outcome: equal.
        place, responsible: contained, without regard to case.
        since, until: first and last day on which it was found.
    """

    q: str = ""
    category: str = ""
    level: str = ""
    status: str = ""
    outcome: str = ""
    place: str = ""
    responsible: str = ""
    since: date | None = None
    until: date | None = None


def conditions(filters: Filters) -> ColumnElement[bool]:
    """The filters in SQL, the same on every database; what is typed is never a pattern."""
    column = findings.c
    wanted: list[Any] = []
    for match in _SOUGHT.finditer(searched(filters.q)):
        words = match[0].split()
        found = and_(*(column.searched.contains(word, autoescape=True) for word in words))
        if match["number"]:
            found = found | (column.number == int(match["number"]))
        wanted.append(found)
    for name in ("category", "level", "status", "outcome"):
        if value := clean(getattr(filters, name)):
            wanted.append(column[name] == value)
    for name in ("place", "responsible"):
        if value := clean(getattr(filters, name)):
            wanted.append(column[name].icontains(value, autoescape=True))
    if filters.since is not None:
        wanted.append(column.found_on >= filters.since)
    if filters.until is not None:
        wanted.append(column.found_on <= filters.until)
    return and_(True, *wanted)


def page(query: Select[Any], cursor: str | None, limit: int) -> Select[Any]:
    """The next `limit` records, newest first, after a cursor."""
    if cursor:
        query = query.where(findings.c.number < read_cursor(cursor))
    return query.order_by(findings.c.number.desc()).limit(limit)


def write_cursor(number: int) -> str:
    """The cursor behind a record, opaque to clients."""
    return base64.urlsafe_b64encode(f"n{number}".encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> int:
    """The running number in a cursor.

    Raises:
        BadCursorError: nobody was given this cursor.
    """
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        number = int(text[1:])
    except (ValueError, binascii.Error) as error:
        raise BadCursorError(cursor) from error
    if not 0 < number < 2**31 or write_cursor(number) != cursor:
        raise BadCursorError(cursor)
    return number
