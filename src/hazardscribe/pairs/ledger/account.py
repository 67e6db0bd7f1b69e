"""The books of an import: every row and every picture, once, with what became of it.

Both sums are proved, not assumed: rows and pictures are counted where they are read, their fates
where they are decided, and `settle` compares the two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from hazardscribe.pairs.ledger.rows import LAYOUT


class Spot(NamedTuple):
    """Where a row or picture stands.

    Attributes:
        file: the ledger.
        sheet: "" for text files.
        row: below the header, from 1; None where a picture belongs to none.
        line: the row as the sheet numbers it.
    """

    file: str
    sheet: str
    row: int | None
    line: int | None


@dataclass(frozen=True, slots=True)
class Left:
    """Something that was left out.

    Attributes:
        kind: `row`, `picture`, or `text` (one of several hazards of a row that is imported).
        file, sheet, row, line: see `Spot`.
        photo: a picture's name, or place in the sheet.
        reason: code for counting.
        detail: for people.
    """

    kind: str
    file: str
    sheet: str
    row: int | None
    line: int | None
    photo: str
    reason: str
    detail: str


@dataclass(slots=True)
class Account:
    """Counts and what was left out.

    Attributes:
        rows_read: rows below the headers.
        rows_imported: those that gave at least one pair.
        pictures_found: pictures stored in workbooks, and files named in photo columns.
        left: rows and pictures that were left out, in no order.
    """

    rows_read: int = 0
    rows_imported: int = 0
    pictures_found: int = 0
    left: list[Left] = field(default_factory=list)
    _files: set[str] = field(default_factory=set)
    _used: set[str] = field(default_factory=set)
    _unused: dict[str, Left] = field(default_factory=dict)

    def reject(self, spot: Spot, reason: str, detail: str) -> None:
        """A row gave no pair."""
        self.left.append(Left("row", *spot, "", reason, detail))

    def found_file(self, key: str) -> None:
        """A photo cell names a file, perhaps not for the first time."""
        if key not in self._files:
            self._files.add(key)
            self.pictures_found += 1

    def unnamed(self, keys: Iterable[str]) -> list[str]:
        """Those of the files that no photo cell names, sorted."""
        return sorted(set(keys) - self._files)

    def use(self, key: str) -> None:
        """A picture became part of a pair or of the safe photos."""
        self._used.add(key)

    def leave(self, key: str, spot: Spot, photo: str, reason: str, detail: str) -> None:
        """A picture was of no use here; it counts as unused unless it is used elsewhere."""
        self._unused.setdefault(key, Left("picture", *spot, photo, reason, detail))

    def settle(self, order: dict[str, int]) -> None:
        """Close the books.

        Args:
            order: file -> position, for the order of what was left out.

        Raises:
            AssertionError: a sum does not hold: a defect of ours.
        """
        self.left += [one for key, one in self._unused.items() if key not in self._used]
        self.left.sort(key=lambda one: (order.get(one.file, 0), one.line or 0, one.kind != "row"))
        for what, total, parts in (
            ("rows", self.rows_read, (self.rows_imported, self.rows_rejected)),
            ("pictures", self.pictures_found, (self.pictures_used, self.pictures_unused)),
        ):
            if sum(parts) != total:
                raise AssertionError(
                    f"the account of {what} does not add up: {parts[0]} + {parts[1]} is not "
                    f"{total}. This is a defect of hazardscribe; please report it with the "
                    "ledger's layout"
                )

    @property
    def rows_rejected(self) -> int:
        """Rows that gave no pair."""
        return sum(one.kind == "row" for one in self.left)

    @property
    def pictures_used(self) -> int:
        """Pictures in pairs or among the safe photos."""
        return len(self._used)

    @property
    def pictures_unused(self) -> int:
        """Pictures that were left out."""
        return sum(one.kind == "picture" for one in self.left)

    def reasons(self, kind: str) -> dict[str, int]:
        """Reason -> how many, the most frequent first."""
        counts = Counter(one.reason for one in self.left if one.kind == kind)
        return dict(sorted(counts.items(), key=lambda both: (-both[1], both[0])))

    @property
    def findings(self) -> int:
        """What `--strict` objects to: rows and pictures of records that were left out."""
        return sum(
            one.reason not in (*LAYOUT, "title_row", "copy_of_original") and not _of_layout(one)
            for one in self.left
        )


def _of_layout(one: Left) -> bool:
    return one.reason == "rejected_row" and one.detail.split(":")[0] in LAYOUT
