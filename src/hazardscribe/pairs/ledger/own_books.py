"""Ledgers that the program wrote itself: an export of pairs, a review that people have corrected.

Nothing in them is guessed at: the first row is the header, each further row a record, and every
cell is meant as it stands. So an export that is imported again gives the same records, though one
of its texts be 合计 or 同上.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hazardscribe.pairs.columns import (
    CHINESE_HEADERS,
    EXPORTED,
    LEDGER_ROLES,
    ROLES,
    TRANSLATED,
)
from hazardscribe.pairs.ledger.grid import Book, Row
from hazardscribe.pairs.ledger.header import Header
from hazardscribe.pairs.ledger.mapping import Name, map_columns
from hazardscribe.pairs.ledger.results_book import ResultsBook
from hazardscribe.pairs.ledger.rows import Record
from hazardscribe.pairs.sentences import say


@dataclass(frozen=True, slots=True)
class Own:
    """What is known of such a ledger.

    Attributes:
        settled: its splits are final.
        bad: row as the sheet numbers it -> (reason, detail) why it gives no pair.
        meant: header -> the column of pairs for which it stands, where it is not its name.
    """

    settled: bool
    bad: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    meant: Mapping[str, str] = field(default_factory=dict)


def own_book(book: Book) -> Own | None:
    """What is known of a book of ours, None for anybody else's."""
    if isinstance(book, ResultsBook):
        return Own(book.settled, book.bad)
    if book.contents == TRANSLATED:
        return Own(settled=True, meant={head: name for name, head in CHINESE_HEADERS.items()})
    return Own(settled=True) if book.contents == "pairs" else None


def own_header(top: Sequence[Row], chosen: Mapping[str, str], *, where: str) -> Header | None:
    """The header of a sheet of ours; None where somebody has changed it beyond recognition.

    Args:
        top: the first rows of the sheet.
        chosen: role -> column as named by the user.
        where: for messages.

    Raises:
        InputError: a chosen column is not there.
    """
    if not top:
        return None
    texts = [cell.strip() for cell in top[0].cells]
    names = tuple(Name("", cell) for cell in top[0].cells)
    roles: dict[str, tuple[int, ...]] = {}
    for role in ROLES:
        # The names of the pairs format itself go before all others.
        name = next((name for name in (role, *EXPORTED[role]) if name in texts), None)
        if name is not None:
            roles[role] = (texts.index(name),)
    if not {"photo", "description"} <= roles.keys():
        return None
    if chosen:
        roles = {role: at for role, at in roles.items() if role not in chosen}
        roles |= map_columns(names, dict.fromkeys(LEDGER_ROLES, "") | dict(chosen), where=where)
        if "description" not in roles:
            return None
    return Header(names, roles, top[0].number)


def own_records(
    rows: Iterator[Row], header: Header, own: Own, *, pictured: Collection[int]
) -> Iterator[Record]:
    """The rows below the header, each one record unless it is blank or hidden.

    A row in which a picture lies (`pictured`) is not blank.
    """
    width = len(header.names)
    for row in rows:
        if row.number <= header.last:
            continue
        cells = [*row.cells[:width], *[""] * (width - len(row.cells))]
        record = Record(row.number - header.last, row.number, cells)
        if row.number in own.bad:
            record.reason, record.detail = own.bad[row.number]
        elif not any(cell.strip() for cell in cells) and row.number not in pictured:
            record.reason, record.detail = "blank", say("blank")
        elif row.hidden:
            record.reason, record.detail = "hidden_row", say("hidden_row")
        yield record
