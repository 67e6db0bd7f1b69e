"""Reading one ledger: from its sheets to records with their photos, all of them in the account."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice

from hazardscribe.errors import InputError
from hazardscribe.pairs.columns import not_confirmed
from hazardscribe.pairs.ledger.account import Account, Spot
from hazardscribe.pairs.ledger.carried import Carried
from hazardscribe.pairs.ledger.drafts import Draft, Options, SheetNote
from hazardscribe.pairs.ledger.grid import Book, CellRange, Row
from hazardscribe.pairs.ledger.header import HEADER_WITHIN, Header, find_header, seen_names
from hazardscribe.pairs.ledger.keeping import Kept, Refused, Wanted
from hazardscribe.pairs.ledger.mapping import SEVERAL, add_sides, map_columns
from hazardscribe.pairs.ledger.open_sheet import OpenSheet, picture_name
from hazardscribe.pairs.ledger.own_books import Own, own_header, own_records
from hazardscribe.pairs.ledger.placing import Placed, place
from hazardscribe.pairs.ledger.reading import SheetReader
from hazardscribe.pairs.ledger.rows import Record, read_records
from hazardscribe.pairs.ledger.sources import LedgerPhotos
from hazardscribe.pairs.sentences import say


class Gatherer:
    """Reads ledgers one after the other into drafts; `wanted` photos are read while each is open.

    Attributes:
        drafts: records with a description and at least one picture.
        sheets: how each sheet was read.
        warnings: what the user should know.
        numbered: records with several numbered hazards in one cell.
        kept: key -> the photo, or why it is refused.
        lost: photos that an exported workbook names beside it, and that are not there.
        settled: the splits of one of the ledgers are final.
    """

    def __init__(self, account: Account, options: Options) -> None:
        self.account = account
        self.options = options
        self.drafts: list[Draft] = []
        self.sheets: list[SheetNote] = []
        self.warnings: list[str] = []
        self.numbered = 0
        self.kept: dict[str, Kept | Refused] = {}
        self.seen: list[str] = []
        self.grouped = False
        self.settled = False
        self.lost: set[str] = set()
        self._altered = 0
        self._texts: dict[str, str] = {}
        self._found: set[str] = set()

    def gather(
        self,
        label: str,
        book: Book,
        finder: LedgerPhotos,
        keep: Callable[[Iterator[Wanted]], Iterable[tuple[str, Kept | Refused]]],
        *,
        text_file: bool,
        own: Own | None = None,
    ) -> None:
        """Read one open ledger.

        Args:
            label: the ledger's name.
            book: the ledger.
            finder: of the photos that it names.
            keep: checks and stores photos.
            text_file: a row with more cells than the header has shifted.
            own: of a book that the program wrote itself, which is taken as it stands.
        """
        self.settled = self.settled or (own is not None and own.settled)
        wanted: dict[str, Callable[[], bytes]] = {}
        for picture_at, picture in enumerate(book.unplaced):
            key = f"#{label}\0\0{picture_at}"
            self.account.pictures_found += 1
            spot = Spot(label, "", None, None)
            self.account.leave(key, spot, picture_name(picture), "unplaced", say("unplaced"))
        self._found |= {sheet.name for sheet in book.sheets}
        for sheet in book.sheets:
            self._read_sheet(OpenSheet.of(label, book, sheet), finder, wanted, text_file, own)
        if self._altered:
            self.warnings.append(say("altered_pictures", file=label, count=self._altered))
            self._altered = 0
        if self.lost:
            count = len(self.lost)
            said = say("lost_originals", file=label, count=count, name=min(self.lost))
            self.warnings.append(said)
            self.lost.clear()
        self.kept.update(keep(both for both in wanted.items() if both[0] not in self.kept))

    def missing_sheets(self) -> list[str]:
        """Sheets that the user named and no ledger has."""
        return [name for name in self.options.sheets if name not in self._found]

    def _read_sheet(
        self,
        sheet: OpenSheet,
        finder: LedgerPhotos,
        wanted: dict[str, Callable[[], bytes]],
        text_file: bool,
        own: Own | None,
    ) -> None:
        """Read one sheet into drafts, or leave it out as a whole."""
        self.account.pictures_found += len(sheet.pictures)
        note = SheetNote(sheet.label, sheet.name)
        self.sheets.append(note)
        if self.options.sheets and sheet.name not in self.options.sheets:
            self._leave_sheet(sheet, note, "sheet_not_chosen")
            return
        merges = sheet.book.merges(sheet.sheet)
        stream = iter(sheet.book.rows(sheet.sheet))
        top = list(islice(stream, HEADER_WITHIN))
        header = None
        if own is not None:
            header = own_header(top, self.options.columns, where=sheet.where)
        if header is None:
            own = None
            header = self._find_header(sheet, top, merges)
        if header is None:
            self._leave_without_header(sheet, note, top, merges)
            return
        layout = Carried(header, self.options.group, own=own)
        self.grouped = self.grouped or layout.group is not None
        placed = place(sheet.pictures, merges, header)
        roles = header.roles
        if "photo" not in roles and (under := placed.columns("photo", len(header.names))):
            roles = {"photo": under, **roles}
        note.columns = {
            role: tuple(dict.fromkeys(header.names[at].text for at in places))
            for role, places in roles.items()
        }
        note.others = layout.others
        self._altered += sum(one.altered for one in sheet.pictures)
        for at, reason, detail in placed.left:
            self._leave_picture(sheet, at, reason, detail)
        records = _records(chain(top, stream), merges, header, placed, text_file, own)
        reader = SheetReader(self, sheet, header, layout, finder, wanted, placed)
        self._read_records(sheet, note, records, reader)

    def _find_header(
        self, sheet: OpenSheet, top: Sequence[Row], merges: Sequence[CellRange]
    ) -> Header | None:
        """The header of a sheet as people keep it, its roles settled; None where there is none."""
        chosen = self.options.columns
        header = find_header(top, merges, chosen, where=sheet.where)
        if header is None:
            return None
        roles = map_columns(header.names, chosen, where=sheet.where)
        pictured = {one.column - 1 for one in sheet.pictures if one.row > header.last}
        return replace(header, roles=add_sides(header.names, roles, chosen, pictured))

    def _read_records(
        self, sheet: OpenSheet, note: SheetNote, records: Iterator[Record], reader: SheetReader
    ) -> None:
        """Count the rows and take what they hold, unless the sheet is hidden and was not named."""
        hidden = sheet.sheet.hidden and sheet.name not in self.options.sheets
        for record in records:
            self.account.rows_read += 1
            note.rows += 1
            if hidden and not record.reason:
                record.reason, record.detail = "hidden_sheet", say("hidden_sheet")
            reader.take(record)
        reader.end()
        if hidden:
            note.left_out = "hidden_sheet"

    def _leave_without_header(
        self,
        sheet: OpenSheet,
        note: SheetNote,
        top: Sequence[Row],
        merges: Sequence[CellRange],
    ) -> None:
        """The sheet is not read, and what its columns are called is kept for the message."""
        # A header that only lacks the column which was named is still the one to show.
        columns = self.options.columns
        usual = find_header(top, merges, {}, where=sheet.where) if columns else None
        self._leave_sheet(sheet, note, "no_header" if usual is None else "no_such_column")
        names = seen_names(top) if usual is None else [n.text for n in usual.names if n.text]
        self.seen = max(self.seen, names, key=len)

    def _leave_sheet(self, sheet: OpenSheet, note: SheetNote, reason: str) -> None:
        """The sheet is not read, and its pictures are of no use."""
        note.left_out = reason
        for at in range(len(sheet.pictures)):
            self._leave_picture(sheet, at, reason, say(reason))

    def _leave_picture(self, sheet: OpenSheet, at: int, reason: str, detail: str) -> None:
        """A picture that belongs to no row of its sheet."""
        picture = sheet.pictures[at]
        spot = sheet.spot(None, picture.row)
        self.account.leave(sheet.keys[at], spot, picture_name(picture), reason, detail)

    def shared(self, text: str) -> str:
        """One object for equal texts: categories and places recur in every row."""
        return self._texts.setdefault(text, text) if len(text) < 40 else text


def _records(
    rows: Iterator[Row],
    merges: Sequence[CellRange],
    header: Header,
    placed: Placed,
    text_file: bool,
    own: Own | None,
) -> Iterator[Record]:
    """The rows below the header, read as people's or as our own."""
    pictured = {at + 1 for role in SEVERAL for at in header.roles.get(role, ())}
    followed = (row.followed(pictured) for row in rows)
    if own is not None:
        return own_records(followed, header, own, pictured=placed.begins)
    return read_records(followed, merges, header, pictured=placed.begins, surplus_is_bad=text_file)


def no_header(source: str, seen: Sequence[str], wanted: str = "") -> InputError:
    """No sheet has a header; `wanted` is the description's column as the user named it."""
    names = ", ".join(repr(name) for name in seen) or "none"
    missing = f"there is no single column {wanted!r}, named for" if wanted else "no column for"
    found = "" if wanted else " was found"
    unconfirmed = "" if wanted else not_confirmed(seen)
    return InputError(
        f"{source}: {missing} the description{found}. {unconfirmed}Columns seen: {names}. Name the "
        'right one: --columns.description "..." or, in Python, columns={"description": "..."}'
    )
