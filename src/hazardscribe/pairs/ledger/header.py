"""Where a sheet's header stands and what its columns are.

Above it there may be a title, a date, a company; it may take two rows, the upper one merged over
several columns; the first row with the usual names wins, however it is laid out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hazardscribe.pairs.ledger.grid import CellRange, Row
from hazardscribe.pairs.ledger.mapping import Name, map_columns

HEADER_WITHIN = 30
"""Rows of a sheet in which its header is looked for."""

_NO_NAME = re.compile(
    r"\.(?:jpe?g|png|bmp|gif|webp|tiff?|heic)$|^[\d.,/:年月日\s-]+$|://|[。；;]$", re.IGNORECASE
)
_LONGEST_NAME = 24


@dataclass(frozen=True, slots=True)
class Header:
    """A sheet's header.

    Attributes:
        names: of the columns, from the first.
        roles: role -> positions in `names` (0-based).
        first: its first row, as the sheet numbers them.
        last: its last row; the rows of the ledger come below.
    """

    names: tuple[Name, ...]
    roles: Mapping[str, tuple[int, ...]]
    first: int
    last: int

    def column(self, cells: Sequence[str], role: str) -> str:
        """What a row says in the column of a role, "" where there is none."""
        at = self.roles.get(role)
        return cells[at[0]] if at else ""


def find_header(
    top: Sequence[Row], merges: Sequence[CellRange], chosen: Mapping[str, str], *, where: str
) -> Header | None:
    """The header among the first rows of a sheet; None where no row names a description.

    Args:
        top: the first rows; those below `HEADER_WITHIN` are not looked at.
        merges: the sheet's merged cells.
        chosen: role -> column as named by the user.
        where: for messages.
    """
    top = top[:HEADER_WITHIN]
    if not top:
        return None
    near = [one for one in merges if one.first_row <= top[-1].number]
    filled = {row.number: _filled(row, near, top) for row in top}
    best: tuple[tuple[bool, int], Header] | None = None
    for position, row in enumerate(top):
        below = top[position + 1] if position + 1 < len(top) else None
        second = below if below and _is_second(row, below, near) else None
        upper = filled[row.number]
        if second is None:
            names = [Name("", text) for text in upper]
            last = row.number
        else:
            names = _join(row, second, upper, filled[second.number], near)
            last = second.number
        while names and not names[-1].text:
            names.pop()
        known = {name.text for name in names if name.text}
        if not known or (len(known) < 2 and len(names) > 1):
            continue
        roles = map_columns(names, chosen, where=where, strict=False)
        if "description" not in roles:
            continue
        score = ("photo" in roles, len(roles))
        if best is None or score > best[0]:
            best = score, Header(tuple(names), roles, row.number, last)
    return None if best is None else best[1]


def seen_names(top: Sequence[Row]) -> list[str]:
    """The fullest of the first rows, for messages about a header that was not found."""
    rows = [[cell.strip() for cell in row.cells if cell.strip()] for row in top[:HEADER_WITHIN]]
    return max(rows, key=len, default=[])[:40]


def _filled(row: Row, merges: Sequence[CellRange], top: Sequence[Row]) -> list[str]:
    """The row's texts with those of merged cells in each of their cells."""
    texts = [_clean(cell) for cell in row.cells]
    for one in merges:
        if not one.first_row <= row.number <= one.last_row or one.last_column > 2000:
            continue
        source = next((other for other in top if other.number == one.first_row), None)
        text = _clean(_cell(source, one.first_column)) if source else ""
        if text:
            texts += [""] * (one.last_column - len(texts))
            for column in range(one.first_column, one.last_column + 1):
                texts[column - 1] = text
    return texts


def _is_second(row: Row, below: Row, merges: Sequence[CellRange]) -> bool:
    """Whether the row below holds the second names of columns that this one groups."""
    if below.number != row.number + 1:
        return False
    filled = {at for at, cell in enumerate(below.cells, start=1) if cell.strip()}
    texts = [_clean(below.cells[at - 1]) for at in filled]
    if not filled or any(len(t) > _LONGEST_NAME or _NO_NAME.search(t) for t in texts):
        return False
    down = {
        column
        for one in merges
        if one.first_row == row.number and one.last_row >= below.number
        for column in range(one.first_column, min(one.last_column, 2000) + 1)
    }
    if down:
        return filled.isdisjoint(down)
    grouped: set[int] = set()
    across = [
        one
        for one in merges
        if one.first_row == one.last_row == row.number and one.last_column > one.first_column
    ]
    if across:
        for one in across:
            grouped.update(range(one.first_column, min(one.last_column, 2000) + 1))
        named = {at for at, cell in enumerate(row.cells, start=1) if cell.strip()}
        return filled <= grouped and bool(named - grouped)
    # A text file: a merged name is followed by empty cells, and each of these has a name below.
    named = {at for at, cell in enumerate(row.cells, start=1) if cell.strip()}
    empty = {at for at in range(1, max(filled | named) + 1) if at not in named}
    starts = {at for at in named if at + 1 in empty}
    return bool(empty) and 1 not in empty and filled == empty | starts and len(named) > 1


def _join(
    row: Row, second: Row, upper: list[str], lower: list[str], merges: Sequence[CellRange]
) -> list[Name]:
    width = max(len(upper), len(lower))
    upper = upper + [""] * (width - len(upper))
    lower = lower + [""] * (width - len(lower))
    if not any(one.first_row <= row.number <= one.last_row for one in merges):
        for at in range(1, width):  # a text file: the group's name stands over its first column
            if not upper[at] and lower[at]:
                upper[at] = upper[at - 1]
    names = []
    for above, below in zip(upper, lower, strict=True):
        if not above or not below or above == below:
            names.append(Name("", above or below))
        else:
            names.append(Name(above, below))
    return names


def _cell(row: Row, column: int) -> str:
    return row.cells[column - 1] if column <= len(row.cells) else ""


def _clean(text: str) -> str:
    return "".join(text.split()) if not text.isascii() else " ".join(text.split())
