"""Reading one ledger: from its sheets to records with their photos, all of them in the account."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice

from hazardscribe.errors import InputError
from hazardscribe.pairs.columns import not_confirmed
from hazardscribe.pairs.ledger.account import Account, Left
from hazardscribe.pairs.ledger.carried import Carried
from hazardscribe.pairs.ledger.drafts import Draft, Options, SheetNote
from hazardscribe.pairs.ledger.grid import Book, Row, Sheet
from hazardscribe.pairs.ledger.header import HEADER_WITHIN, Header, find_header, seen_names
from hazardscribe.pairs.ledger.keeping import Kept, Refused
from hazardscribe.pairs.ledger.mapping import SEVERAL, add_sides, map_columns
from hazardscribe.pairs.ledger.own_books import Own, own_header, own_records
from hazardscribe.pairs.ledger.placing import place
from hazardscribe.pairs.ledger.reading import SheetReader, picture_name
from hazardscribe.pairs.ledger.rows import read_records
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
        self._texts: dict[str, str] = {}
        self._chosen: set[str] = set()

    def gather(
        self,
        label: str,
        book: Book,
        finder: LedgerPhotos,
        keep: Callable[
            [Iterator[tuple[str, Callable[[], bytes]]]], Iterator[tuple[str, Kept | Refused]]
        ],
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
            self.leave(
                key,
                label,
                "",
                None,
                None,
                picture_name(picture),
                "unplaced",
                say("unplaced"),
            )
        found_sheets = {sheet.name for sheet in book.sheets}
        self._chosen |= found_sheets
        for sheet in book.sheets:
            self._read_sheet(label, book, sheet, finder, wanted, text_file, own)
        if self.lost:
            count = len(self.lost)
            said = say("lost_originals", file=label, count=count, name=min(self.lost))
            self.warnings.append(said)
            self.lost.clear()
        new = ((key, read) for key, read in wanted.items() if key not in self.kept)
        for key, result in keep(new):
            self.kept[key] = result

    def missing_sheets(self) -> list[str]:
        """Sheets that the user named and no ledger has."""
        return [name for name in self.options.sheets if name not in self._chosen]

    def _read_sheet(
        self,
        label: str,
        book: Book,
        sheet: Sheet,
        finder: LedgerPhotos,
        wanted: dict[str, Callable[[], bytes]],
        text_file: bool,
        own: Own | None,
    ) -> None:
        pictures = list(book.pictures(sheet))
        self.account.pictures_found += len(pictures)
        keys = [f"#{label}\0{sheet.position}\0{at}" for at in range(len(pictures))]
        note = SheetNote(label, sheet.name)
        self.sheets.append(note)
        chosen = not self.options.sheets or sheet.name in self.options.sheets

        def leave_all(reason: str) -> None:
            note.left_out = reason
            detail = say(reason)
            for key, picture in zip(keys, pictures, strict=True):
                self.leave(
                    key, label, sheet.name, None, picture.row, picture_name(picture), reason, detail
                )

        if not chosen:
            leave_all("sheet_not_chosen")
            return
        merges = book.merges(sheet)
        stream = iter(book.rows(sheet))
        top = list(islice(stream, HEADER_WITHIN))
        where = f"{label}, sheet {sheet.name}" if sheet.name else label
        header = None if own is None else own_header(top, self.options.columns, where=where)
        if header is None:
            own = None
            header = find_header(top, merges, self.options.columns, where=where)
        if header is None:
            # A header that only lacks the column which was named is still the one to show.
            usual = find_header(top, merges, {}, where=where) if self.options.columns else None
            leave_all("no_header" if usual is None else "no_such_column")
            names = seen_names(top) if usual is None else [n.text for n in usual.names if n.text]
            self.seen = max(self.seen, names, key=len)
            return
        roles = header.roles
        if own is None:
            roles = map_columns(header.names, self.options.columns, where=where)
            pictured = {one.column - 1 for one in pictures if one.row > header.last}
            roles = add_sides(header.names, roles, self.options.columns, pictured)
            header = Header(header.names, roles, header.first, header.last)
        layout = Carried(header, self.options.group, own=own)
        self.grouped = self.grouped or layout.group is not None
        note.columns = {
            role: tuple(header.names[at].text for at in places) for role, places in roles.items()
        }
        note.others = layout.others
        hidden = sheet.hidden and sheet.name not in self.options.sheets
        placed = place(pictures, merges, header)
        reader = SheetReader(
            self, label, sheet.name, header, layout, finder, wanted, book, pictures, keys, placed
        )
        for at, reason, detail in placed.left:
            self.leave(
                keys[at],
                label,
                sheet.name,
                None,
                pictures[at].row,
                picture_name(pictures[at]),
                reason,
                detail,
            )
        pictured = {at + 1 for role in SEVERAL for at in header.roles.get(role, ())}
        rows: Iterator[Row] = (row.followed(pictured) for row in chain(top, stream))
        if own is not None:
            records = own_records(rows, header, own, pictured=placed.begins)
        else:
            records = read_records(
                rows, merges, header, pictured=placed.begins, surplus_is_bad=text_file
            )
        for record in records:
            self.account.rows_read += 1
            note.rows += 1
            if hidden and not record.reason:
                record.reason = "hidden_sheet"
                record.detail = say("hidden_sheet")
            reader.take(record)
        reader.end()
        if hidden:
            note.left_out = "hidden_sheet"

    def leave(
        self,
        key: str,
        file: str,
        sheet: str,
        row: int | None,
        line: int | None,
        photo: str,
        reason: str,
        detail: str,
    ) -> None:
        """A picture was of no use here."""
        self.account.leave(key, Left("picture", file, sheet, row, line, photo, reason, detail))

    def shared(self, text: str) -> str:
        """One object for equal texts: categories and places recur in every row."""
        return self._texts.setdefault(text, text) if len(text) < 40 else text


def no_header(source: str, seen: Sequence[str], wanted: str = "") -> InputError:
    """No sheet has a header; `wanted` is the description's column as the user named it."""
    names = ", ".join(repr(name) for name in seen) or "none"
    missing = f"there is no single column {wanted!r}, named for" if wanted else "no column for"
    found = "" if wanted else " was found"
    unconfirmed = "" if wanted else not_confirmed(seen)
    return InputError(
        f"{source}: {missing} the description{found}. {unconfirmed}Columns seen: {names}. Name the "
        "right "
        'one: --columns.description "..." or, in Python, columns={"description": "..."}'
    )
