"""The rows below a header: what is a record, and what is title, total, signature, note or nothing.

Merged cells are filled down, 同上 takes what stands above it. Each row that the sheet holds comes
out exactly once, in order, with a reason where it is no record; empty rows behind the last one are
not part of the ledger.
"""

from __future__ import annotations

import heapq
import re
import unicodedata
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from hazardscribe.pairs.ledger.grid import CellRange, Row
from hazardscribe.pairs.ledger.header import Header
from hazardscribe.pairs.sentences import say

LAYOUT = frozenset(("blank", "continued", "header", "title", "total", "signature", "note"))
"""Reasons of rows that hold no record at all: nothing is lost with them."""

_SAME = frozenset(("同上", "同前", "〃", '"', "″", "ditto", "same as above", "as above"))
_TOTAL = re.compile(
    r"(?:合\s*计|总\s*计|小\s*计|共\s*计|累\s*计|汇\s*总|(?:grand |sub-?)?total|sum)\s*:?"
    r"\s*[\d.,]*\s*(?:项|条|处|个|张|rows?|items?)?"
    r"|共计?\s*\d+\s*(?:项|条|处|个)(?:隐患|问题)?"
)
_TOTAL_ACROSS = re.compile(
    r"(?:合\s*计|总\s*计|小\s*计|共\s*计|累\s*计|汇\s*总|(?:grand |sub-?)?total)\s*[:\d]"
)
_SIGNATURE = re.compile(
    r"(?:(?:检查|受检|被检查?|审核|审批|批准|制表|编制|填表|填报|复核|复查|验收|签收|记录|负责|整改)"
    r"(?:人员|人|者|组|单位|负责人)?|项目经理|安全员|负责人|日期)\s*(?:\(?(?:签[字名章]|盖章)\)?)?\s*:"
    r"|.{0,12}(?:签字|签名|签章|盖章).{0,12}$"
    r"|(?:signatures?|signed(?: by)?|prepared by|checked by|approved by|reviewed by|inspected by)\b"
)
_NOTE = re.compile(r"(?:备\s*注|注|说明|填表说明|注意事项?|notes?|remarks?)\s*\d*\s*:")
_COUNT = re.compile(
    r"\s*(?:共计?\s*)?\d+\s*(?:项|条|处|个|张|起|rows?|items?|findings?)?(?:隐患|问题)?\s*"
)
_NUMBER = re.compile(r"[\d.,\s]*")
_DAY = re.compile(r"[\d年月日.,/:\s-]*")


@dataclass(slots=True)
class Record:
    """One row below the header.

    Attributes:
        number: row below the header, from 1.
        line: row as the sheet numbers it.
        cells: a text for each column of the header.
        reason: why it is no record, "" where it is one.
        detail: for people.
        same: positions of photo columns in which 同上 stands.
    """

    number: int
    line: int
    cells: list[str]
    reason: str = ""
    detail: str = ""
    same: tuple[int, ...] = ()


def read_records(
    rows: Iterator[Row],
    merges: Sequence[CellRange],
    header: Header,
    *,
    pictured: Collection[int],
    surplus_is_bad: bool,
) -> Iterator[Record]:
    """The rows below a header, as a stream.

    Args:
        rows: of the sheet; those up to the header's last are passed over.
        merges: the sheet's merged cells.
        header: of the sheet.
        pictured: rows in which a picture begins.
        surplus_is_bad: a text beyond the last column means that cells have shifted (text files).
    """
    filler = _Filler(merges, header.last)
    above = [""] * len(header.names)
    # A formatted sheet may go on for a million empty rows, so only their numbers wait.
    waiting = array("q")
    photos = {at for role in ("photo", "after_photo") for at in header.roles.get(role, ())}
    described = header.roles["description"][0]
    repeated = [
        {"".join(text.split()) for text in (name.text, name.child, name.parent) if text}
        for name in header.names
    ]
    for row in _with_pictured(rows, pictured, header.last):
        own = [cell.strip() for cell in row.cells[: len(header.names)]]
        own += [""] * (len(header.names) - len(own))
        surplus = any(cell.strip() for cell in row.cells[len(header.names) :])
        cells, merged = filler.fill(row.number, own)
        record = Record(row.number - header.last, row.number, cells)
        bare = not any(own) and row.number not in pictured and not (surplus and surplus_is_bad)
        if bare and described in merged:
            record.reason, record.detail = "continued", say("continued")
        elif bare:
            waiting.append(row.number)
            continue
        elif row.hidden:
            record.reason, record.detail = "hidden_row", say("hidden_row")
        elif surplus and surplus_is_bad:
            said = say("bad_row", cells=len(row.cells), columns=len(header.names))
            record.reason, record.detail = "bad_row", said
        else:
            pictures = row.number in pictured
            across = filler.widths.get(row.number, {})
            record.reason, record.detail = _layout(
                own, described, photos, across, pictures, repeated
            )
        yield from (_blank(number, header) for number in waiting)
        waiting = array("q")
        if not record.reason:
            record.same = tuple(at for at in photos if _is_same(cells[at]))
            for at, text in enumerate(cells):
                if at != described and _is_same(text):
                    cells[at] = above[at]
            above = cells
        yield record


def _blank(number: int, header: Header) -> Record:
    cells = [""] * len(header.names)
    return Record(number - header.last, number, cells, "blank", say("blank"))


def _is_same(text: str) -> bool:
    return len(text) < 20 and _plain(text) in _SAME


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().casefold()


def _with_pictured(rows: Iterator[Row], pictured: Collection[int], last: int) -> Iterator[Row]:
    """The rows below the header, and those that hold nothing but a picture."""
    bare = (Row(number, (), False) for number in sorted(pictured))
    for row in heapq.merge(rows, bare, key=lambda row: row.number):
        if row.number > last:  # of two with one number, that of the sheet comes first
            last = row.number
            yield row


class _Filler:
    """Gives the rows of a merged cell the text of its first one, while rows stream by."""

    def __init__(self, merges: Sequence[CellRange], last: int) -> None:
        self._begin: dict[int, list[CellRange]] = defaultdict(list)
        self.widths: dict[int, dict[int, int]] = defaultdict(dict)
        for one in merges:
            if one.last_row <= last:
                continue
            if one.last_row > one.first_row:
                self._begin[max(one.first_row, last + 1)].append(one)
            elif one.last_column > one.first_column:
                width = one.last_column - one.first_column + 1
                self.widths[one.first_row][one.first_column - 1] = width
        self._starts = sorted(self._begin, reverse=True)
        self._open: list[tuple[CellRange, str]] = []

    def fill(self, number: int, own: list[str]) -> tuple[list[str], set[int]]:
        """The texts with those from above, and the positions that are merged with a row above."""
        self._open = [both for both in self._open if both[0].last_row >= number]
        cells = list(own)
        merged: set[int] = set()
        for one, text in self._open:
            at = one.first_column - 1
            if at < len(cells):
                cells[at] = text
                merged.update(range(at, min(one.last_column, len(cells))))
        while self._starts and self._starts[-1] <= number:
            for one in self._begin.pop(self._starts.pop()):
                at = one.first_column - 1
                if one.last_row >= number and at < len(own):
                    # A cell whose first row the file does not hold is empty.
                    text = own[at] if one.first_row == number else ""
                    self._open.append((one, text))
                    if one.first_row < number:
                        merged.add(at)
        return cells, merged


def _layout(
    own: Sequence[str],
    described: int,
    photos: Collection[int],
    across: dict[int, int],
    pictures: bool,
    repeated: Sequence[Collection[str]],
) -> tuple[str, str]:
    """(reason, detail) of a row that is no record, else two empty texts."""
    filled = [at for at, text in enumerate(own) if text]
    if not filled:
        return "", ""
    matching = sum("".join(own[at].split()) in repeated[at] for at in filled)
    if len(filled) > 1 and matching * 3 >= len(filled) * 2:
        return "header", say("header")
    first = _plain(own[filled[0]])
    if _TOTAL.fullmatch(first) and (
        described not in filled[1:] or _COUNT.fullmatch(own[described].casefold())
    ):
        return "total", say("total", text=own[filled[0]])
    if pictures:
        return "", ""
    signed = all(
        _SIGNATURE.match(text) or _DAY.fullmatch(text)
        for text in (_plain(own[at]) for at in photos)
    )
    if signed and described not in filled[1:] and _SIGNATURE.match(first):
        return "signature", say("signature", text=_short(own[filled[0]]))
    if any(own[at] for at in photos):
        return "", ""
    if described not in filled[1:] and len(filled) <= 2 and _NOTE.match(first):
        return "note", say("note", text=_short(own[filled[0]]))
    if len(filled) == 1:
        at = filled[0]
        wide = across.get(at, 1)
        over = at <= described < at + wide and wide > 1
        if over and _TOTAL_ACROSS.match(first):
            return "total", say("total", text=_short(own[at]))
        if over or (at != described and not _NUMBER.fullmatch(first)):
            return "title", say("title", text=_short(own[at]))
    return "", ""


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"
