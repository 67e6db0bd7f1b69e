"""Where a sheet's header stands and what its columns are.

Above it there may be a title, a date, a company; it may take two or three rows, the upper ones
merged over several columns; the first row with the usual names wins, however it is laid out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hazardscribe.pairs.columns import LEDGER_ROLES, usual_rank
from hazardscribe.pairs.ledger.grid import CellRange, Row
from hazardscribe.pairs.ledger.mapping import Name, is_guess, map_columns

HEADER_WITHIN = 30
"""Rows of a sheet in which its header is looked for."""

_NO_NAME = re.compile(
    r"\.(?:jpe?g|png|bmp|gif|webp|tiff?|heic)$|^[\d.,/:年月日\s-]+$|://|[。；;]$", re.IGNORECASE
)
_LONGEST_NAME = 24
_SERIAL = re.compile(r"序号|编号|序|no\.?|s/?n|#", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Header:
    """A sheet's header.

    Attributes:
        names: of the columns, from the first.
        roles: role -> positions in `names` (0-based).
        last: its last row, as the sheet numbers them; the rows of the ledger come below.
    """

    names: tuple[Name, ...]
    roles: Mapping[str, tuple[int, ...]]
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
    taken = 0
    for position, row in enumerate(top):
        if row.number <= taken:
            # A lower row alone would lose what it stands under: 整改 over 照片.
            continue
        rows = _header_rows(top[position : position + 3], near)
        names = _join(rows, filled, near)
        last = rows[-1].number
        while names and not names[-1].text:
            names.pop()
        known = {name.text for name in names if name.text}
        if not known or (len(known) < 2 and len(names) > 1):
            continue
        roles = map_columns(names, chosen, where=where, strict=False)
        if "description" not in roles or _is_form(top, last, roles["description"][0]):
            continue
        if "description" not in chosen and is_guess(names[roles["description"][0]]):
            # A record's own text may sound like a name; its other cells do not.
            serial = any(_SERIAL.fullmatch(name) for name in known)
            if not all(map(_are_names, rows)) or (len(roles) < 2 and not serial):
                continue
        taken = last
        score = ("photo" in roles, len(roles))
        if best is None or score > best[0]:
            best = score, Header(tuple(names), roles, last)
    return None if best is None else best[1]


def _is_form(top: Sequence[Row], last: int, described: int) -> bool:
    """Whether names stand below a name: a form of one hazard, its texts to their right."""
    below = next((row for row in top if row.number > last and _named(row)), None)
    text = "" if below is None else _clean(_cell(below, described + 1))
    return any(usual_rank(text, role) is not None for role in LEDGER_ROLES)


def seen_names(top: Sequence[Row]) -> list[str]:
    """The fullest of the first rows, for messages about a header that was not found."""
    rows = [
        [" ".join(cell.split()) for cell in row.cells if cell.strip()]
        for row in top[:HEADER_WITHIN]
    ]
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


def _header_rows(rows: Sequence[Row], merges: Sequence[CellRange]) -> Sequence[Row]:
    """The one to three rows of a header that begins with the first of `rows`."""
    if len(rows) > 2 and _is_third(rows[0], rows[1], rows[2], merges):
        return rows
    return rows[:2] if len(rows) > 1 and _is_second(rows[0], rows[1], merges) else rows[:1]


def _is_second(row: Row, below: Row, merges: Sequence[CellRange]) -> bool:
    """Whether the row below holds the second names of columns that this one groups."""
    filled = _named(below)
    if below.number != row.number + 1 or not filled:
        return False
    if down := _merged_down([row], below, merges):
        return filled.isdisjoint(down)
    if not _are_names(below):
        return False
    grouped: set[int] = set()
    across = [
        one
        for one in merges
        if one.first_row == one.last_row == row.number and one.last_column > one.first_column
    ]
    if across:
        for one in across:
            grouped.update(range(one.first_column, min(one.last_column, 2000) + 1))
        # Beside the groups stands a column of its own, or there are several groups and no more:
        # one merged cell alone is a title.
        groups = {text for one in across if (text := _clean(_cell(row, one.first_column)))}
        several = len(groups) > 1 and not any(re.search("[:：]", text) for text in groups)
        return filled <= grouped and (several or bool(_named(row) - grouped))
    # A text file: a merged name is followed by empty cells, and each of these has a name below.
    # 填报单位：甲公司 and 2025年1月 over the header are no such names.
    named = _named(row)
    if not _are_names(row) or any(re.search("[:：]", cell) for cell in row.cells):
        return False
    return len(named) > 1 and filled == _grouped(named, max(filled | named))


def _is_third(row: Row, second: Row, third: Row, merges: Sequence[CellRange]) -> bool:
    """Whether three rows form one header: each of the lower two names parts of the one above."""
    if third.number != row.number + 2 or second.number != row.number + 1:
        return False
    lower = _named(third)
    if not lower or not _are_names(second):
        return False
    if down := _merged_down([row], third, merges):
        down |= _merged_down([second], third, merges)
        return lower.isdisjoint(down) and _is_second(row, second, merges)
    if _is_second(row, second, merges) and _is_second(second, third, merges):
        return True
    if not _are_names(third) or any(
        one.first_row <= third.number and one.last_row >= row.number for one in merges
    ):
        return False
    named, middle = _named(row), _named(second)
    width = max(named | middle | lower)
    under = _grouped(named, width)
    gaps = under - middle
    within = gaps | {at for at in middle if at + 1 in gaps}
    return len(named) > 1 and named & under <= middle <= under and lower == within


def _named(row: Row) -> set[int]:
    """Columns (from 1) in which the row says anything."""
    return {at for at, cell in enumerate(row.cells, start=1) if cell.strip()}


def _are_names(row: Row) -> bool:
    """Whether the row says anything, and all of it could be names of columns."""
    texts = [_clean(cell) for cell in row.cells if cell.strip()]
    return bool(texts) and not any(len(t) > _LONGEST_NAME or _NO_NAME.search(t) for t in texts)


def _merged_down(rows: Sequence[Row], below: Row, merges: Sequence[CellRange]) -> set[int]:
    """Columns of merged cells that begin in one of the rows and reach the one below."""
    numbers = {row.number for row in rows}
    return {
        column
        for one in merges
        if one.first_row in numbers and one.last_row >= below.number
        for column in range(one.first_column, min(one.last_column, 2000) + 1)
    }


def _grouped(named: set[int], width: int) -> set[int]:
    """Columns of a text file's groups: names followed by empty cells, and these; else nothing."""
    empty = {at for at in range(1, width + 1) if at not in named}
    if not empty or 1 in empty:
        return set()
    return empty | {at for at in named if at + 1 in empty}


def _join(
    rows: Sequence[Row], filled: Mapping[int, list[str]], merges: Sequence[CellRange]
) -> list[Name]:
    levels = [filled[row.number] for row in rows]
    width = max(map(len, levels))
    levels = [level + [""] * (width - len(level)) for level in levels]
    if not any(one.first_row <= rows[-1].number and one.last_row >= rows[0].number
               for one in merges):  # fmt: skip
        # A text file: a group's name stands over its first column.
        for depth, level in enumerate(levels[:-1]):
            for at in range(1, width):
                beneath = any(lower[at] for lower in levels[depth + 1 :])
                same = depth == 0 or levels[depth - 1][at] == levels[depth - 1][at - 1]
                if not level[at] and beneath and same:
                    level[at] = level[at - 1]
    names = []
    for parts in zip(*levels, strict=True):
        said = [part for at, part in enumerate(parts) if part and part not in parts[:at]]
        said = ["", "", "", *said][-3:]
        names.append(Name(said[1], said[2], said[0]))
    return names


def _cell(row: Row, column: int) -> str:
    return row.cells[column - 1] if column <= len(row.cells) else ""


def _clean(text: str) -> str:
    return "".join(text.split()) if not text.isascii() else " ".join(text.split())
