"""What reading a ledger gives to what settles it: choices, notes on sheets, drafts of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hazardscribe.pairs.ledger.account import Spot
from hazardscribe.pairs.ledger.unseeable import Unseeable


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
        rows: rows below the header.
        left_out: why it was not read, "" where it was.
    """

    file: str
    sheet: str
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    rows: int = 0
    left_out: str = ""


@dataclass(slots=True)
class Draft:
    """A record that can become pairs.

    Attributes:
        spot: where it stands.
        source: (file, sheet, row) that it gives itself, where an import wrote it before.
        texts: its hazards: one, or several where numbered ones are taken apart.
        split: as written.
        names, values: the columns that are carried along, and what they say.
        group: its value in the column that groups.
        photos, after: keys of its pictures, with their names.
    """

    spot: Spot
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
