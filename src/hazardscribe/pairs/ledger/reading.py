"""From a sheet's records to drafts: their hazards, and the pictures that show them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from hazardscribe.pairs.descriptions import clean_text, is_empty
from hazardscribe.pairs.finder import EMBEDDED, has_photo_suffix
from hazardscribe.pairs.ledger.account import Left, Spot
from hazardscribe.pairs.ledger.carried import Carried
from hazardscribe.pairs.ledger.dates import iso_date
from hazardscribe.pairs.ledger.drafts import Draft
from hazardscribe.pairs.ledger.header import Header
from hazardscribe.pairs.ledger.numbered import split_numbered
from hazardscribe.pairs.ledger.open_sheet import OpenSheet, picture_name
from hazardscribe.pairs.ledger.placing import Laid, Placed
from hazardscribe.pairs.ledger.rows import LAYOUT, Record
from hazardscribe.pairs.ledger.sources import LedgerPhotos
from hazardscribe.pairs.records import source_of
from hazardscribe.pairs.sentences import say

if TYPE_CHECKING:
    from hazardscribe.pairs.ledger.gathering import Gatherer

_UNFINISHED = re.compile(
    r"未|待|整改中|进行中|处理中|正在|否$|open|pending|ongoing|in progress|not |overdue|no?$"
)
"""How the status of a place begins that is not repaired yet."""

Without = tuple[str, str]
"""(reason, detail) of something that is left out."""


class Named(NamedTuple):
    """A photo that a cell names.

    Attributes:
        role: `photo` or `after_photo`.
        name: as written.
        key: under which it is accounted for, and read where it is there.
        problem: why there is no such file, if there is none.
    """

    role: str
    name: str
    key: str
    problem: Without | None


# What stands for a text without being one: a pointer to the picture, an error of Excel.
_NOTHING = re.compile(
    r"(?:详?见|如)(?:下|上|右|左|附)?(?:图|照片|图片|附件)(?:所示)?[。.]?|#[A-Z0/]+[!?]?"
    r"|see (?:the )?(?:photo|picture|image)s?",
    re.IGNORECASE,
)
_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(slots=True)
class _Shown:
    """The pictures that a record brings, each as (key, name).

    Attributes:
        photos: of the hazard.
        after: of the place after repair.
        refused: (name, reason, detail) of hazard photos that cannot be used.
    """

    photos: list[tuple[str, str]] = field(default_factory=list)
    after: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, role: str, key: str, name: str) -> None:
        """A picture of one side or the other."""
        (self.photos if role == "photo" else self.after).append((key, name))

    def refuse(self, role: str, name: str, reason: str, detail: str) -> None:
        """A picture that cannot be used."""
        if role == "photo":
            self.refused.append((name, reason, detail))


class SheetReader:
    """Turns the records of one sheet into drafts."""

    def __init__(
        self,
        gatherer: Gatherer,
        sheet: OpenSheet,
        header: Header,
        layout: Carried,
        finder: LedgerPhotos,
        wanted: dict[str, Callable[[], bytes]],
        placed: Placed,
    ) -> None:
        self.gatherer, self.account, self.sheet = gatherer, gatherer.account, sheet
        self.header, self.layout, self.finder = header, layout, finder
        self.wanted, self.placed = wanted, placed
        self.above: dict[int, list[Laid]] = {}

    def take(self, record: Record) -> None:
        """Account for a row, and make it a draft where it can be one."""
        placed = self._placed(record)
        # A repeated header names no files, nor does a row whose cells have shifted.
        names = [] if record.reason in (*LAYOUT, "bad_row") else self._named(record, placed)
        texts = self._texts(record)
        if record.reason:
            self._drop(record, placed, names)
            return
        shown = _Shown()
        self._show_placed(record, placed, self._replacing(record, names), shown)
        self._show_named(record, names, shown)
        status = self.header.column(record.cells, "status").strip().casefold()
        if _UNFINISHED.match(status):
            for key, name in shown.after:
                self._leave(key, record, name, "not_rectified", say("not_rectified"))
            shown.after = []
        if not shown.photos:
            record.reason, record.detail = self._why_none(record, shown)
            self._reject(record)
            if not shown.after:
                return
        self.gatherer.drafts.append(self._draft(record, texts, shown))

    def _placed(self, record: Record) -> list[Laid]:
        """The pictures that lie in the row, and those from above where it says 同上."""
        placed = self.placed.take(record.line)
        if record.reason:
            return placed
        by_column: dict[int, list[Laid]] = {}
        for one in placed:
            by_column.setdefault(one[2], []).append(one)
        for at in record.same:
            if at not in by_column and at in self.above:
                by_column[at] = self.above[at]
                placed = placed + self.above[at]
        self.above = by_column
        return placed

    def _show_placed(
        self, record: Record, placed: Sequence[Laid], original: str, shown: _Shown
    ) -> None:
        """Take the pictures in the row's cells; the first is only a copy of `original`, if any."""
        for index, role, _ in placed:
            key, picture = self.sheet.keys[index], self.sheet.pictures[index]
            name = picture_name(picture)
            if original and role == "photo":
                said = say("copy_of_original", name=original)
                self._leave(key, record, name, "copy_of_original", said)
                original = ""
            elif picture.problem is not None:
                self._leave(key, record, name, *picture.problem)
                shown.refuse(role, name, *picture.problem)
            else:
                shown.add(role, key, name)
                self.wanted.setdefault(key, partial(self.sheet.book.read_picture, picture))

    def _show_named(self, record: Record, names: Sequence[Named], shown: _Shown) -> None:
        """Take the files that the row's cells name."""
        for role, name, key, problem in names:
            self.account.found_file(key)
            if problem is not None:
                self._leave(key, record, name, *problem)
                shown.refuse(role, name, *problem)
            else:
                shown.add(role, key, name)
                self.wanted.setdefault(key, partial(self.finder.read, key))

    def _why_none(self, record: Record, shown: _Shown) -> tuple[str, str]:
        """(reason, detail) of a record without a photo of its hazard."""
        if shown.refused:
            name, reason, detail = shown.refused[0]
            return reason, say("because", name=name, detail=detail)
        if not self.header.roles.get("photo"):
            return "no_photo_named", say("no_photo_column")
        text = self.header.column(record.cells, "photo")
        if not text.strip():
            return "no_photo_named", say("no_photo")
        return "no_photo_named", say("no_photo_named", text=text)

    def _draft(self, record: Record, texts: list[str], shown: _Shown) -> Draft:
        values = []
        for name, at in zip(self.layout.names, self.layout.positions, strict=True):
            text = record.cells[at]
            if name in ("date", "due") and not self.layout.own:
                text = iso_date(text)
            values.append(self.gatherer.shared(text))
        here = (self.sheet.label, self.sheet.name, record.number)
        return Draft(
            self._spot(record),
            source_of(record.cells, self.layout.provenance, here),
            texts,
            self.header.column(record.cells, "split").strip(),
            self.layout.names,
            tuple(values),
            list(dict.fromkeys(shown.photos)),
            list(dict.fromkeys(shown.after)),
            self._group(record),
        )

    def end(self) -> None:
        """Account for the pictures beside which no row was read."""
        for line, placed in self.placed.rest():
            for index, _, _ in placed:
                key, name = self.sheet.keys[index], picture_name(self.sheet.pictures[index])
                spot = self.sheet.spot(None, line)
                self.account.leave(key, spot, name, "no_row", say("no_row"))

    def _texts(self, record: Record) -> list[str]:
        """The row's hazards; a reason is set where there is none that can be used."""
        if record.reason:
            return []
        written = record.cells[self.header.roles["description"][0]]
        whole = clean_text(written)
        parts = [clean_text(part) for part in split_numbered(written)]
        texts = [part for part in parts if not self._says_nothing(part)]
        if not texts or self._says_nothing(whole):
            pictures_alone = not any(record.cells) and record.line in self.placed.begins
            said = say("only_pictures") if pictures_alone else _empty(written)
            record.reason, record.detail = "empty_description", said
            return []
        self.gatherer.numbered += len(texts) > 1
        left: list[Without] = []
        if self.gatherer.options.split_numbered and len(parts) > 1:
            empty = [part for part in parts if self._says_nothing(part)]
            left += [("empty_description", _empty(part)) for part in empty]
        else:
            texts = [whole]
        kept, unseen = self._seeable(texts)
        if not kept:
            record.reason, record.detail = unseen[0]
            return []
        for reason, detail in left + unseen:
            self.account.left.append(Left("text", *self._spot(record), "", reason, detail))
        return kept

    def _says_nothing(self, text: str) -> bool:
        # In a ledger of ours every text was taken for a description before: `=1+1` is one again.
        return is_empty(text) or not (self.layout.own or _says_something(text))

    def _seeable(self, texts: Sequence[str]) -> tuple[list[str], list[Without]]:
        """The texts that a photo can show, and why the others are left out."""
        unseeable = self.gatherer.options.unseeable
        if unseeable is None or self.layout.own:
            return list(texts), []
        kept: list[str] = []
        left: list[Without] = []
        for text in texts:
            word = unseeable.find(text)
            if word is None:
                kept.append(text)
            else:
                left.append(("not_visible", say("not_visible", word=word, text=text)))
        return kept, left

    def _named(self, record: Record, placed: Sequence[Laid]) -> list[Named]:
        """The files that the photo cells name."""
        result: list[Named] = []
        for role in ("photo", "after_photo"):
            pictured = {column for _, other, column in placed if other == role}
            for at in self.header.roles.get(role, ()):
                cell = record.cells[at]
                if not cell or (pictured and EMBEDDED.match(cell)):
                    continue
                for name in self.finder.split_cell(cell):
                    if pictured and not has_photo_suffix(name):
                        continue  # 见附图, or a number, beside a picture
                    result.append(self._find(role, name, f"{record.line}\0{at}"))
        if name := self._original(record):
            result.insert(0, self._find("photo", name))
        return result

    def _find(self, role: str, name: str, cell: str = "") -> Named:
        found = self.finder.find(name)
        if isinstance(found, str):
            return Named(role, name, found, None)
        # Each #VALUE! was a picture of its own; a name that is not found means one file anywhere.
        place = f"{self.sheet.name}\0{cell}\0" if name.startswith("#") else ""
        return Named(role, name, f"?{self.sheet.label}\0{place}{name}", found)

    def _original(self, record: Record) -> str:
        """The file that the row names in place of a picture which is only a copy of it."""
        return "" if self.layout.original is None else record.cells[self.layout.original].strip()

    def _replacing(self, record: Record, names: Sequence[Named]) -> str:
        """The name of that file where it is there; else the copy must do."""
        original = self._original(record)
        if any(one.name == original and one.problem is None for one in names):
            return original
        if original:
            self.gatherer.lost.add(original)
        return ""

    def _drop(self, record: Record, placed: Sequence[Laid], names: Sequence[Named]) -> None:
        """The row is rejected, and its pictures with it."""
        detail = say("rejected_row", reason=record.reason, detail=record.detail)
        for index, _, _ in placed:
            name = picture_name(self.sheet.pictures[index])
            self._leave(self.sheet.keys[index], record, name, "rejected_row", detail)
        for one in names:
            self.account.found_file(one.key)
            self._leave(one.key, record, one.name, "rejected_row", detail)
        self._reject(record)

    def _reject(self, record: Record) -> None:
        self.account.reject(self._spot(record), record.reason, record.detail)

    def _leave(self, key: str, record: Record, photo: str, reason: str, detail: str) -> None:
        self.account.leave(key, self._spot(record), photo, reason, detail)

    def _spot(self, record: Record) -> Spot:
        return self.sheet.spot(record.number, record.line)

    def _group(self, record: Record) -> str:
        if self.layout.group is None:
            return ""
        text = iso_date(record.cells[self.layout.group])
        return text[:10] if _ISO_DAY.match(text) else clean_text(text)


def _says_something(text: str) -> bool:
    """Whether a text holds letters and is no pointer to a picture and no error of Excel."""
    return any(map(str.isalpha, text)) and not _NOTHING.fullmatch(text)


def _empty(text: str) -> str:
    """Why a text that says nothing is left out."""
    said = clean_text(text)
    return say("empty_description", text=text) if said else say("no_description")
