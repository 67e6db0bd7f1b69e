"""From the rows of tables to pairs: which rows give some, and the frame that these make.

Whole tables and blocks of shards pass through here alike, so that both keep one account.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hazardscribe.names import is_text, readable
from hazardscribe.pairs.columns import FIRST_COLUMNS, unique_names
from hazardscribe.pairs.descriptions import clean_text, is_empty
from hazardscribe.pairs.finder import PhotoFinder
from hazardscribe.pairs.records import Rejected, provenance_at, source_of
from hazardscribe.pairs.sentences import say
from hazardscribe.pairs.splits import read_split
from hazardscribe.pairs.tables.table import Table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(slots=True)
class Draft:
    """A source row on its way to pairs.

    Attributes:
        table: where it stands.
        number: source row below the header, from 1.
        description: cleaned.
        split: `train`, `dev`, `validation` or `test`; "" where none is written.
        photos: (absolute path, name as written), each file once.
    """

    table: Table
    number: int
    description: str
    split: str
    photos: list[tuple[str, str]]

    def reject(self, reason: str, detail: str, photo: str = "") -> Rejected:
        """The row, or one of its photos, as something that gave no pair."""
        return Rejected(self.table.label, self.number, photo, reason, detail)


def collect(
    tables: list[Table],
    rejected: list[Rejected],
    finders: Mapping[Path, PhotoFinder],
    splits_given: bool | None = None,
) -> list[Draft]:
    """The rows that have a description, a split and at least one photo file.

    Args:
        tables: whole, or a block of one. rejected: the others are added here.
        finders: of photos, by the tables' folders.
        splits_given: whether each row must have a split; None: where one of these has.
    """
    if splits_given is None:
        splits_given = any(_gives_split(table) for table in tables)
    drafts: list[Draft] = []
    for table in tables:
        finder = finders[table.base]
        for number, row in enumerate(table.rows, start=table.first + 1):
            split = _written_split(table, row) if splits_given else None
            description = clean_text(row[table.roles["description"]])
            draft = Draft(table, number, description, read_split(split or "") or "", [])
            if (refusal := _refusal(draft, row, split)) is not None:
                rejected.append(draft.reject(*refusal))
                continue
            rejected += _find_photos(draft, row[table.roles["photo"]], finder)
            if draft.photos:
                drafts.append(draft)
    return drafts


def _gives_split(table: Table) -> bool:
    at = table.roles.get("split")
    return bool(table.split) or (at is not None and any(row[at].strip() for row in table.rows))


def _written_split(table: Table, row: Sequence[str]) -> str:
    """The split as the row writes it, else that of its table."""
    at = table.roles.get("split")
    return (row[at].strip() if at is not None else "") or table.split


def _refusal(draft: Draft, row: Sequence[str], split: str | None) -> tuple[str, str] | None:
    """(reason, detail) of a row that gives no pair, whatever its photos.

    Args:
        split: as written; None where rows need none.
    """
    if draft.number in draft.table.bad:
        return draft.table.bad[draft.number]
    if not any(cell.strip() for cell in row):
        return "blank", say("blank")
    if split is not None and not draft.split:
        return "bad_split", say("bad_split", text=split) if split else say("no_split")
    if is_empty(draft.description):
        written = row[draft.table.roles["description"]]
        return "empty_description", say("empty_description", text=written)
    return None


def _find_photos(draft: Draft, cell: str, finder: PhotoFinder) -> list[Rejected]:
    """Give the draft the photos that its cell names; what of them cannot be used comes back."""
    names = finder.split_cell(cell)
    if not names:
        return [draft.reject("no_photo_named", say("no_photo_named", text=cell))]
    rejected: list[Rejected] = []
    photos: dict[str, str] = {}
    for name in names:
        found = finder.find(name)
        if not isinstance(found, str):
            rejected.append(draft.reject(*found, name))
        elif not is_text(found):
            rejected.append(draft.reject("photo_unreadable", _odd_path(found), name))
        else:
            photos[found] = name
    draft.photos = list(photos.items())
    return rejected


def _odd_path(photo: str) -> str:
    """The detail of a photo whose path no table takes, so that no pair can name it."""
    return (
        f"{readable(photo)}: a name in this path is not UTF-8 (GBK, from Windows?). Rename the "
        "file or folder, for example with `convmv -f gbk -t utf-8`; `hazardscribe import` takes "
        "it as it is"
    )


def frame_of(drafts: list[Draft], splits: list[str], tables: list[Table]) -> pd.DataFrame:
    """One line per pair. Source columns whose name is taken get the prefix `source_`."""
    import pandas as pd

    provenance = {id(table): provenance_at(table.names) for table in tables}
    places = {id(table): _other_columns(table, provenance[id(table)]) for table in tables}
    others = list(dict.fromkeys(name for names in places.values() for name in names))
    lines: list[tuple[str | int, ...]] = []
    for draft, split in zip(drafts, splits, strict=True):
        table = draft.table
        row = table.rows[draft.number - 1 - table.first]
        at = places[id(table)]
        rest = [row[at[name]] if name in at else "" for name in others]
        source = source_of(row, provenance[id(table)], (table.label, "", draft.number))
        for photo, _ in draft.photos:
            lines.append((photo, draft.description, split, *source, *rest))
    frame = pd.DataFrame(lines, columns=[*FIRST_COLUMNS, *others])
    return frame.astype({"row_number": "int64"})


def _other_columns(table: Table, provenance: Sequence[int]) -> dict[str, int]:
    """Name in the frame -> position in the table, for the columns that play no role."""
    taken = {*table.roles.values(), *provenance}
    positions = [at for at in range(len(table.names)) if at not in taken]
    named = [table.names[position] or f"column_{position + 1}" for position in positions]
    return dict(zip(unique_names(named), positions, strict=True))
