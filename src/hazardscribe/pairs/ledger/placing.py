"""Which rows a sheet's pictures belong to, and whether they show the hazard or the repair."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from hazardscribe.pairs.ledger.grid import CellRange, Picture
from hazardscribe.pairs.ledger.header import Header
from hazardscribe.pairs.ledger.mapping import after_column
from hazardscribe.pairs.ledger.photo_names import may_show_hazard, names_pictures, plain_name
from hazardscribe.pairs.sentences import say

_NOT_A_PHOTO = ("inspector", "responsible", "status", "after_photo", "date", "due", "split")


Laid = tuple[int, str, int]
"""(index of the picture, role, position of its column)."""


@dataclass(slots=True)
class _Merged:
    """A merged cell of several rows, and the pictures that belong to each of them.

    It may go down to the end of the sheet, so that its rows are not listed.
    """

    first_row: int
    last_row: int
    laid: list[Laid] = field(default_factory=list)
    met: bool = False


_Range = TypeVar("_Range", CellRange, _Merged)


@dataclass(slots=True)
class Placed:
    """The pictures of a sheet.

    Attributes:
        left: (index, reason, detail) of pictures that belong to no row below the header.
        begins: rows in which a picture begins.
    """

    left: list[tuple[int, str, str]] = field(default_factory=list)
    begins: set[int] = field(default_factory=set)
    _rows: dict[int, list[Laid]] = field(default_factory=lambda: defaultdict(list))
    _merged: dict[int, list[_Merged]] = field(default_factory=lambda: defaultdict(list))
    _rank: dict[int, int] = field(default_factory=dict)

    def add(self, laid: Laid, row: int, merged: CellRange | None, top: int) -> None:
        """A picture, in reading order, for a row or for those of a merged cell from `top` on."""
        self._rank[laid[0]] = len(self._rank)
        if merged is None:
            self._rows[row].append(laid)
            return
        first = max(merged.first_row, top)
        of_column = self._merged[laid[2]]
        if not of_column or of_column[-1].first_row != first:
            of_column.append(_Merged(first, merged.last_row))
        of_column[-1].laid.append(laid)

    def take(self, row: int) -> list[Laid]:
        """The pictures of a row that is read, in reading order."""
        found = self._rows.pop(row, [])
        for of_column in self._merged.values():
            one = _around(of_column, row)
            if one is not None:
                one.met = True
                found = found + one.laid
        return sorted(found, key=lambda laid: self._rank[laid[0]])

    def columns(self, role: str, width: int) -> tuple[int, ...]:
        """Positions below `width` of the columns over which the pictures of a role lie."""
        laid = [*self._rows.values(), *(one.laid for of in self._merged.values() for one in of)]
        return tuple(sorted({at for one in laid for _, of, at in one if of == role and at < width}))

    def rest(self) -> Iterator[tuple[int, list[Laid]]]:
        """The pictures of which no row was read, with their row."""
        yield from self._rows.items()
        for of_column in self._merged.values():
            yield from ((one.first_row, one.laid) for one in of_column if not one.met)


def place(pictures: Sequence[Picture], merges: Sequence[CellRange], header: Header) -> Placed:
    """Give each picture to the row of its cell, or to each row of its merged cell."""
    placed = Placed()
    tall: dict[int, list[CellRange]] = defaultdict(list)
    for one in merges:
        if one.last_row > one.first_row:
            for column in range(one.first_column, min(one.last_column, 500) + 1):
                tall[column].append(one)
    for ranges in tall.values():
        ranges.sort(key=lambda one: one.first_row)
    after = after_column(header.names, header.roles)
    order = sorted(range(len(pictures)), key=lambda i: (pictures[i].row, pictures[i].column, i))
    for index in order:
        picture = pictures[index]
        if picture.row <= header.last:
            placed.left.append((index, "title_row", say("title_row")))
            continue
        placed.begins.add(picture.row)
        role = _role(picture, header, after)
        if not role:
            placed.left.append((index, "other_column", _elsewhere(picture, header, after)))
            continue
        merged = _around(tall.get(picture.column, []), picture.row)
        placed.add((index, role, picture.column - 1), picture.row, merged, header.last + 1)
    return placed


def _around(ranges: Sequence[_Range], row: int) -> _Range | None:
    at = bisect_right(ranges, row, key=lambda one: one.first_row) - 1
    return ranges[at] if at >= 0 and ranges[at].last_row >= row else None


def _elsewhere(picture: Picture, header: Header, after: str) -> str:
    """Why a picture is neither a hazard's nor one of the repair."""
    inside = picture.column <= len(header.names)
    name = header.names[picture.column - 1].text if inside else ""
    detail = say("other_column", name=name) if name else say("nameless_column")
    if after and not header.roles.get("photo"):
        return say("only_after", detail=detail, after=after)
    return detail


def _of_description(header: Header, at: int) -> bool:
    """Whether a column stands under the description's name, and that speaks of pictures too.

    So 隐患情况（附照片）, mostly one merged cell over a column of texts and one of pictures.
    """
    described = header.roles.get("description", ())
    names = [header.names[one].text for one in described]
    return (
        at < len(header.names)
        and header.names[at].text in names
        and names_pictures(plain_name(header.names[at].text))
    )


def _role(picture: Picture, header: Header, after: str) -> str:
    """`photo`, `after_photo`, or "" where the picture lies in a column of something else.

    `after` is the name of a column for photos after repair. Where there is one, a picture in no
    photo column may as well show the repair as the hazard.
    """
    first, last = picture.column - 1, max(picture.column, picture.last_column) - 1
    sides = {role: set(header.roles.get(role, ())) for role in ("photo", "after_photo")}
    for role, columns in sides.items():
        if first in columns:
            return role
    covered = {role for role, columns in sides.items() if columns & set(range(first, last + 1))}
    if len(covered) == 1:
        return covered.pop()
    # Right of a photo column, under no name of its own: the second photo of the row.
    at = first
    while at >= 0 and (at >= len(header.names) or not header.names[at].text):
        at -= 1
    if at < first:
        for role, columns in sides.items():
            if at in columns:
                return role
    if after:
        return "photo" if _of_description(header, first) else ""
    if first >= len(header.names):
        return "photo"
    if sides["photo"]:
        return ""
    other = {one for role in _NOT_A_PHOTO for one in header.roles.get(role, ())}
    described = header.roles.get("description", ())
    other |= {
        i
        for i, name in enumerate(header.names)
        if i not in described and not may_show_hazard(name.text)
    }
    return "" if first in other or (at < first and at in other) else "photo"
