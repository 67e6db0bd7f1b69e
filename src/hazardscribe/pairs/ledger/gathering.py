"""Reading one ledger: from its sheets to records with their photos, all of them in the account."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice

from hazardscribe.errors import InputError
from hazardscribe.pairs.columns import FIRST_COLUMNS, LEDGER_ROLES, normal_name, unique_names
from hazardscribe.pairs.finder import EMBEDDED
from hazardscribe.pairs.ledger.account import Account, Left
from hazardscribe.pairs.ledger.dates import iso_date
from hazardscribe.pairs.ledger.grid import Book, Picture, Row, Sheet
from hazardscribe.pairs.ledger.header import HEADER_WITHIN, Header, find_header, seen_names
from hazardscribe.pairs.ledger.keeping import Kept, Refused
from hazardscribe.pairs.ledger.mapping import map_columns
from hazardscribe.pairs.ledger.numbered import split_numbered
from hazardscribe.pairs.ledger.placing import Placed, place
from hazardscribe.pairs.ledger.rows import LAYOUT, Record, read_records
from hazardscribe.pairs.ledger.sources import LedgerPhotos
from hazardscribe.pairs.ledger.unseeable import Unseeable
from hazardscribe.pairs.read import clean_text, is_empty

_PHOTO_FILE = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".heic")
_UNFINISHED = (
    "未整改",
    "未完成",
    "整改中",
    "未销号",
    "进行中",
    "待整改",
    "open",
    "pending",
    "ongoing",
)
_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_KEPT_ROLES = tuple(r for r in LEDGER_ROLES if r not in ("photo", "description", "split"))


@dataclass(frozen=True, slots=True)
class Options:
    """What the user decides about reading.

    Attributes:
        columns: role -> column.
        sheets: the sheets to read, also hidden ones; empty for all that are visible.
        split_numbered: make a pair of each numbered hazard in a cell.
        unseeable: what no photo shows; None keeps such rows.
        group: the column or role by whose values the split groups, "" for none.
    """

    columns: Mapping[str, str]
    sheets: tuple[str, ...]
    split_numbered: bool
    unseeable: Unseeable | None
    group: str


@dataclass(slots=True)
class SheetNote:
    """How a sheet was read, for the report.

    Attributes:
        file, sheet: which.
        columns: role -> names of its columns; empty where the sheet was left out.
        others: names of the columns that are carried along.
        left_out: why it was not read, "" where it was.
        rows: rows below the header.
    """

    file: str
    sheet: str
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    left_out: str = ""
    rows: int = 0


@dataclass(slots=True)
class Draft:
    """A record that can become pairs.

    Attributes:
        file, sheet, row, line: where it stands.
        source: (file, sheet, row) that it gives itself, where an import wrote it before.
        texts: its hazards: one, or several where numbered ones are taken apart.
        split: as written.
        names, values: the columns that are carried along, and what they say.
        group: its value in the column that groups.
        photos, after: keys of its pictures, with their names.
    """

    file: str
    sheet: str
    row: int
    line: int
    source: tuple[str, str, int]
    texts: list[str]
    split: str
    names: tuple[str, ...]
    values: tuple[str, ...]
    photos: list[tuple[str, str]]
    after: list[tuple[str, str]]
    group: str

    def value(self, name: str) -> str:
        """What it says in a column, "" where its sheet has none of that name."""
        return self.values[self.names.index(name)] if name in self.names else ""


class Gatherer:
    """Reads ledgers one after the other into drafts; `wanted` photos are read while each is open.

    Attributes:
        drafts: records with a description and at least one picture.
        sheets: how each sheet was read.
        warnings: what the user should know.
        numbered: records with several numbered hazards in one cell.
        kept: key -> the photo, or why it is refused.
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
    ) -> None:
        """Read one open ledger."""
        wanted: dict[str, Callable[[], bytes]] = {}
        for picture_at, picture in enumerate(book.unplaced):
            key = f"#{label}\0\0{picture_at}"
            self.account.pictures_found += 1
            self._leave(
                key,
                label,
                "",
                None,
                None,
                _name(picture),
                "unplaced",
                "lies in no cell of any sheet",
            )
        found_sheets = {sheet.name for sheet in book.sheets}
        self._chosen |= found_sheets
        for sheet in book.sheets:
            self._read_sheet(label, book, sheet, finder, wanted, text_file)
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
    ) -> None:
        pictures = list(book.pictures(sheet))
        self.account.pictures_found += len(pictures)
        keys = [f"#{label}\0{sheet.position}\0{at}" for at in range(len(pictures))]
        note = SheetNote(label, sheet.name)
        self.sheets.append(note)
        chosen = not self.options.sheets or sheet.name in self.options.sheets

        def leave_all(reason: str, detail: str) -> None:
            note.left_out = reason
            for key, picture in zip(keys, pictures, strict=True):
                self._leave(
                    key, label, sheet.name, None, picture.row, _name(picture), reason, detail
                )

        if not chosen:
            leave_all("sheet_not_chosen", "the sheet was not named with --sheets")
            return
        merges = book.merges(sheet)
        stream = iter(book.rows(sheet))
        top = list(islice(stream, HEADER_WITHIN))
        where = f"{label}, sheet {sheet.name}" if sheet.name else label
        header = find_header(top, merges, self.options.columns, where=where)
        if header is None:
            leave_all("no_header", "the sheet has no header that names a description")
            self.seen = max(self.seen, seen_names(top), key=len)
            return
        roles = map_columns(header.names, self.options.columns, where=where)
        header = Header(header.names, roles, header.first, header.last)
        layout = _Layout(header, self.options.group)
        self.grouped = self.grouped or layout.group is not None
        note.columns = {
            role: tuple(header.names[at].text for at in places) for role, places in roles.items()
        }
        note.others = layout.others
        hidden = sheet.hidden and sheet.name not in self.options.sheets
        placed = place(pictures, merges, header)
        reader = _SheetReader(
            self, label, sheet.name, header, layout, finder, wanted, book, pictures, keys, placed
        )
        for at, reason, detail in placed.left:
            self._leave(
                keys[at],
                label,
                sheet.name,
                None,
                pictures[at].row,
                _name(pictures[at]),
                reason,
                detail,
            )
        rows: Iterator[Row] = chain(top, stream)
        for record in read_records(
            rows, merges, header, pictured=placed.begins, surplus_is_bad=text_file
        ):
            self.account.rows_read += 1
            note.rows += 1
            if hidden and not record.reason:
                record.reason = "hidden_sheet"
                record.detail = "the sheet is hidden; name it with --sheets to read it"
            reader.take(record)
        reader.end()
        if hidden:
            note.left_out = "hidden_sheet"

    def _leave(
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
        self.account.leave(key, Left("picture", file, sheet, row, line, photo, reason, detail))

    def shared(self, text: str) -> str:
        """One object for equal texts: categories and places recur in every row."""
        return self._texts.setdefault(text, text) if len(text) < 40 else text


class _Layout:
    """Which columns of a sheet go into the pairs, under which names."""

    def __init__(self, header: Header, group: str) -> None:
        self.group = _find_group(header, group) if group else None
        self.roles = [
            (role, header.roles[role][0])
            for role in _KEPT_ROLES
            if role in header.roles and role != "after_photo"
        ]
        taken = {at for places in header.roles.values() for at in places}
        texts = [name.text for name in header.names]
        self.provenance = (
            [texts.index(name) for name in FIRST_COLUMNS[3:]]
            if set(FIRST_COLUMNS[3:]) <= set(texts)
            else []
        )
        taken |= set(self.provenance)
        free = [at for at, text in enumerate(texts) if text and at not in taken]
        names = unique_names([texts[at] for at in free], (*FIRST_COLUMNS, *_KEPT_ROLES))
        self.others = tuple(names)
        self.positions = [at for _, at in self.roles] + free
        self.names = tuple(role for role, _ in self.roles) + self.others


class _SheetReader:
    """Turns the records of one sheet into drafts."""

    def __init__(
        self,
        gatherer: Gatherer,
        label: str,
        sheet: str,
        header: Header,
        layout: _Layout,
        finder: LedgerPhotos,
        wanted: dict[str, Callable[[], bytes]],
        book: Book,
        pictures: Sequence[Picture],
        keys: Sequence[str],
        placed: Placed,
    ) -> None:
        self.gatherer, self.label, self.sheet = gatherer, label, sheet
        self.header, self.layout, self.finder = header, layout, finder
        self.wanted, self.book, self.placed = wanted, book, placed
        self.pictures, self.keys = pictures, keys
        self.above: dict[int, list[tuple[int, str, int]]] = {}

    def take(self, record: Record) -> None:
        """Account for a row, and make it a draft where it can be one."""
        placed = self.placed.by_row.pop(record.line, [])
        if not record.reason:
            by_column: dict[int, list[tuple[int, str, int]]] = {}
            for one in placed:
                by_column.setdefault(one[2], []).append(one)
            for at in record.same:
                if at not in by_column and at in self.above:
                    by_column[at] = self.above[at]
                    placed = placed + self.above[at]
            self.above = by_column
        # A repeated header names no files, nor does a row whose cells have shifted.
        names = [] if record.reason in (*LAYOUT, "bad_row") else self._named(record, placed)
        texts = self._texts(record)
        if record.reason:
            self._drop(record, placed, names)
            return
        photos: list[tuple[str, str]] = []
        after: list[tuple[str, str]] = []
        refused: list[tuple[str, str, str]] = []
        for index, role, _ in placed:
            key, picture = self.keys[index], self.pictures[index]
            if picture.problem is not None:
                self._leave(key, record, _name(picture), *picture.problem)
                refused += [(_name(picture), *picture.problem)] * (role == "photo")
                continue
            (photos if role == "photo" else after).append((key, _name(picture)))
            self.wanted.setdefault(key, partial(self.book.read_picture, picture))
        for role, name, found in names:
            if isinstance(found, tuple):
                self._found(f"?{self.label}\0{name}")
                self._leave(f"?{self.label}\0{name}", record, name, *found)
                refused += [(name, *found)] * (role == "photo")
                continue
            key = found
            self._found(key)
            (photos if role == "photo" else after).append((key, name))
            self.wanted.setdefault(key, partial(self.finder.read, found))
        if after and self._unfinished(record):
            for key, name in after:
                self._leave(key, record, name, "not_rectified", "the row says it is not yet done")
            after = []
        if not photos and refused:
            name, reason, detail = refused[0]
            record.reason, record.detail = reason, f"{name}: {detail}"
        elif not photos:
            record.reason, record.detail = "no_photo_named", self._no_photo(record)
        if record.reason and not after:
            self._reject(record)
            return
        values = []
        for name, at in zip(self.layout.names, self.layout.positions, strict=True):
            text = record.cells[at]
            if name in ("date", "due"):
                text = iso_date(text)
            values.append(self.gatherer.shared(text))
        draft = Draft(
            self.label,
            self.sheet,
            record.number,
            record.line,
            self._source(record),
            texts,
            self.header.column(record.cells, "split").strip(),
            self.layout.names,
            tuple(values),
            list(dict.fromkeys(photos)),
            list(dict.fromkeys(after)),
            self._group(record),
        )
        if record.reason:
            self._reject(record)
            draft.photos = []
        self.gatherer.drafts.append(draft)

    def end(self) -> None:
        """Account for the pictures beside which no row was read."""
        for line, placed in self.placed.by_row.items():
            for index, _, _ in placed:
                self.gatherer._leave(
                    self.keys[index],
                    self.label,
                    self.sheet,
                    None,
                    line,
                    _name(self.pictures[index]),
                    "no_row",
                    "lies beside no row of the ledger",
                )

    def _texts(self, record: Record) -> list[str]:
        """The row's hazards; a reason is set where there is none that can be used."""
        if record.reason:
            return []
        written = record.cells[self.header.roles["description"][0]]
        whole = clean_text(written)
        if is_empty(whole):
            record.reason = "empty_description"
            record.detail = f"the description is {written!r}"
            return []
        parts = [clean_text(part) for part in split_numbered(written)]
        self.gatherer.numbered += len(parts) > 1
        if not self.gatherer.options.split_numbered or len(parts) < 2:
            parts = [whole]
        unseeable = self.gatherer.options.unseeable
        if unseeable is None:
            return parts
        kept: list[str] = []
        left: list[tuple[str, str]] = []
        for part in parts:
            word = unseeable.find(part)
            if word is None:
                kept.append(part)
            else:
                left.append((part, word))
        if not kept:
            part, word = left[0]
            record.reason = "not_visible"
            record.detail = f"no photo can show {word!r}: {part}"
            return []
        for part, word in left:
            detail = f"no photo can show {word!r}: {part}"
            self.gatherer.account.left.append(
                Left(
                    "text",
                    self.label,
                    self.sheet,
                    record.number,
                    record.line,
                    "",
                    "not_visible",
                    detail,
                )
            )
        return kept

    def _named(
        self, record: Record, placed: Sequence[tuple[int, str, int]]
    ) -> list[tuple[str, str, str | tuple[str, str]]]:
        """(role, name, key or refusal) of the files that the photo cells name."""
        result: list[tuple[str, str, str | tuple[str, str]]] = []
        for role in ("photo", "after_photo"):
            pictured = {column for _, other, column in placed if other == role}
            for at in self.header.roles.get(role, ()):
                cell = record.cells[at]
                if not cell or (pictured and EMBEDDED.match(cell)):
                    continue
                for name in self.finder.split_cell(cell):
                    found = self.finder.find(name)
                    caption = isinstance(found, tuple) and not name.casefold().endswith(_PHOTO_FILE)
                    if caption and pictured:
                        continue  # 见附图, beside a picture
                    result.append((role, name, found))
        return result

    def _drop(
        self,
        record: Record,
        placed: Sequence[tuple[int, str, int]],
        names: Sequence[tuple[str, str, str | tuple[str, str]]],
    ) -> None:
        """The row is rejected, and its pictures with it."""
        detail = f"{record.reason}: {record.detail}"
        for index, _, _ in placed:
            self._leave(
                self.keys[index], record, _name(self.pictures[index]), "rejected_row", detail
            )
        for _, name, found in names:
            key = f"?{self.label}\0{name}" if isinstance(found, tuple) else found
            self._found(key)
            self._leave(key, record, name, "rejected_row", detail)
        self._reject(record)

    def _reject(self, record: Record) -> None:
        self.gatherer.account.reject(
            self.label, self.sheet, record.number, record.line, record.reason, record.detail
        )

    def _leave(self, key: str, record: Record, photo: str, reason: str, detail: str) -> None:
        self.gatherer._leave(
            key, self.label, self.sheet, record.number, record.line, photo, reason, detail
        )

    def _group(self, record: Record) -> str:
        if self.layout.group is None:
            return ""
        text = iso_date(record.cells[self.layout.group])
        return text[:10] if _ISO_DAY.match(text) else clean_text(text)

    def _found(self, key: str) -> None:
        self.gatherer.account.found_file(key)

    def _unfinished(self, record: Record) -> bool:
        status = self.header.column(record.cells, "status").strip().casefold()
        return status.startswith(_UNFINISHED)

    def _no_photo(self, record: Record) -> str:
        columns = self.header.roles.get("photo")
        if not columns:
            return "the sheet has no column of photos, and no picture lies in the row"
        text = record.cells[columns[0]]
        if not text.strip():
            return "the photo cell is empty, and no picture lies over it"
        return f"photo cell is {text!r}"

    def _source(self, record: Record) -> tuple[str, str, int]:
        """Where the row stood first: pairs that were imported before say so themselves."""
        if self.layout.provenance:
            file, sheet, number = (record.cells[at] for at in self.layout.provenance)
            if number.isascii() and number.isdigit() and len(number) < 16:
                return file, sheet, int(number)
        return self.label, self.sheet, record.number


def _find_group(header: Header, group: str) -> int | None:
    """Position of the column to group by, named as a role or as the sheet names it."""
    if group in header.roles:
        return header.roles[group][0]
    texts = [name.text for name in header.names]
    for forms in (texts, [name.child for name in header.names], list(map(normal_name, texts))):
        wanted = group if forms is texts else (group if group in forms else normal_name(group))
        if wanted in forms:
            return forms.index(wanted)
    return None


def _name(picture: Picture) -> str:
    """A picture's place, as a person finds it in the sheet, and its file inside the workbook."""
    if not picture.row:
        return picture.member
    letters, column = "", picture.column
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return (
        f"{letters}{picture.row} ({picture.member})"
        if picture.member
        else f"{letters}{picture.row}"
    )


def no_header(source: str, seen: Sequence[str], wanted: str = "") -> InputError:
    """No sheet has a header; `wanted` is the description's column as the user named it."""
    names = ", ".join(repr(name) for name in seen) or "none"
    missing = f"there is no single column {wanted!r}, named for" if wanted else "no column for"
    found = "" if wanted else " was found"
    return InputError(
        f"{source}: {missing} the description{found}. Columns seen: {names}. Name the right "
        'one: --columns.description "..." or, in Python, columns={"description": "..."}'
    )
