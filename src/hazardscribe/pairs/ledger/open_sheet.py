"""One sheet of an open ledger, with its pictures as the account knows them."""

from __future__ import annotations

from dataclasses import dataclass

from hazardscribe.pairs.ledger.account import Spot
from hazardscribe.pairs.ledger.grid import Book, Picture, Sheet


@dataclass(frozen=True, slots=True)
class OpenSheet:
    """What reading a sheet starts from.

    Attributes:
        label: the ledger's name.
        book: the ledger.
        sheet: which of its sheets.
        pictures: those that lie in the sheet's cells.
        keys: of the pictures, under which they are accounted for.
    """

    label: str
    book: Book
    sheet: Sheet
    pictures: tuple[Picture, ...]
    keys: tuple[str, ...]

    @classmethod
    def of(cls, label: str, book: Book, sheet: Sheet) -> OpenSheet:
        """A sheet of the ledger called `label`."""
        pictures = tuple(book.pictures(sheet))
        keys = tuple(f"#{label}\0{sheet.position}\0{at}" for at in range(len(pictures)))
        return cls(label, book, sheet, pictures, keys)

    @property
    def name(self) -> str:
        """The sheet's name, "" in text files."""
        return self.sheet.name

    @property
    def where(self) -> str:
        """Ledger and sheet, for messages."""
        return f"{self.label}, sheet {self.name}" if self.name else self.label

    def spot(self, row: int | None, line: int | None) -> Spot:
        """A row of the sheet, or a line of it that is none of the ledger's rows."""
        return Spot(self.label, self.name, row, line)


def picture_name(picture: Picture) -> str:
    """A picture's place, as a person finds it in the sheet, and its file inside the workbook."""
    if not picture.row:
        return picture.member
    letters, column = "", picture.column
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    cell = f"{letters}{picture.row}"
    return f"{cell} ({picture.member})" if picture.member else cell
