"""What a workbook is made of, as plain values. Rows and columns count from 1, as Excel shows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

MAX_ROWS = 1_048_576
MAX_COLUMNS = 16_384

Link = tuple[int, int, str]
"""First and last column, and the photo file to which the cells between them lead."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A worksheet (chart and macro sheets are left out).

    Attributes:
        name: as on its tab.
        hidden: hidden by the user or by a program.
        position: 0-based place among the sheets of the workbook that are read.
    """

    name: str
    hidden: bool
    position: int


@dataclass(frozen=True, slots=True)
class Row:
    """One row that the file holds; rows that were never touched are not in it.

    Attributes:
        number: 1-based, as Excel shows it.
        cells: text of the cells from column A on; empty cells are "", those at the end are left
            out. A cell that is a picture is "".
        hidden: by the user or by a filter.
        links: to photo files, whatever the cells show (查看, click here).
    """

    number: int
    cells: tuple[str, ...]
    hidden: bool
    links: tuple[Link, ...] = ()

    def followed(self, columns: Collection[int]) -> Row:
        """The row with the files that its cells in these columns lead to, in place of their text.

        In any other column a link only goes along with the text.
        """
        files = {
            column: file
            for first, last, file in self.links
            for column in columns
            if first <= column <= last
        }
        if not files:
            return self
        cells = list(self.cells) + [""] * (max(files) - len(self.cells))
        for column, file in files.items():
            cells[column - 1] = file
        return Row(self.number, tuple(cells), self.hidden)


@dataclass(frozen=True, slots=True)
class CellRange:
    """A rectangle of cells, 1-based and inclusive."""

    first_row: int
    first_column: int
    last_row: int
    last_column: int


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture and the cells that it belongs to.

    Attributes:
        sheet: name of the sheet, "" when unplaced.
        row: 1-based row with the largest share of the picture; 0 when unplaced.
        column: likewise.
        last_column: last column of which the picture covers at least half.
        altered: turned, mirrored or cropped where it is shown; the file is as it was before.
        member: name of the file inside the workbook, "" if there is none.
        problem: (reason, detail) when it cannot be used: `picture_format`, `picture_missing`,
            `picture_linked`, `picture_damaged`, `picture_too_large`.
    """

    sheet: str
    row: int
    column: int
    last_column: int
    member: str
    problem: tuple[str, str] | None
    altered: bool = False
