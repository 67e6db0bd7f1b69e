"""What a ledger looks like to the importer, whatever file it comes from: sheets of text cells.

A workbook brings merged cells and pictures with it; a text file is one sheet without either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from hazardscribe.pairs.tables.text_files import csv_records, read_text, sniff_separator
from hazardscribe.pairs.workbook.items import CellRange, Picture, Row, Sheet

__all__ = ["Book", "CellRange", "Picture", "Row", "Sheet", "TextBook"]


class Book(Protocol):
    """A ledger file that is open for reading. Rows and columns count from 1.

    What stands here is a book of one sheet without a name, without merged cells and pictures.
    """

    @property
    def contents(self) -> str:
        """What the program itself wrote here, such as `pairs`; "" for people's ledgers."""
        return ""

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """The sheets in order."""
        return (Sheet("", False, 0),)

    @property
    def unplaced(self) -> tuple[Picture, ...]:
        """Pictures that lie in no cell of any sheet."""
        return ()

    def rows(self, sheet: Sheet) -> Iterator[Row]:
        """The rows from top to bottom, as a stream; rows that hold nothing may be left out."""
        raise NotImplementedError

    def merges(self, sheet: Sheet) -> Sequence[CellRange]:
        """The merged cells."""
        return ()

    def pictures(self, sheet: Sheet) -> Sequence[Picture]:
        """The pictures that lie in the sheet's cells."""
        return ()

    def read_picture(self, picture: Picture) -> bytes:
        """The picture's file as it is stored."""
        raise LookupError(picture.member)


class TextBook(Book):
    """A CSV or TSV file. Rows are numbered as `read_pairs` does it: empty lines left out."""

    def __init__(self, path: Path, chosen: Mapping[str, str]) -> None:
        """Read the file; `chosen` (role -> column) helps to find the separator.

        Raises:
            InputError: it is no text, or no table.
        """
        self._path, self._text = path, read_text(path)
        self._separator, _ = sniff_separator(self._text, path, chosen)

    def rows(self, sheet: Sheet) -> Iterator[Row]:
        """The records in order."""
        records = csv_records(self._text, self._path, self._separator)
        for number, record in enumerate(records, start=1):
            yield Row(number, tuple(record), False)
