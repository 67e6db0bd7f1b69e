"""One sheet of an open ledger, with its pictures as the account knows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hazardscribe.pairs.ledger.grid import Book, CellRange, Picture, Row, Sheet


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
    def hidden(self) -> bool:
        """Whether a person who opens the ledger does not see the sheet."""
        return self.sheet.hidden

    @property
    def where(self) -> str:
        """Ledger and sheet, for messages."""
        return f"{self.label}, sheet {self.name}" if self.name else self.label

    def rows(self) -> Iterator[Row]:
        """The rows from top to bottom, as a stream."""
        return iter(self.book.rows(self.sheet))

    def merges(self) -> Sequence[CellRange]:
        """The merged cells."""
        return self.book.merges(self.sheet)


def picture_name(picture: Picture) -> str:
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
