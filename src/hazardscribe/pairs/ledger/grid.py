"""What a ledger looks like to the importer, whatever file it comes from: sheets of text cells.

A workbook brings merged cells and pictures with it; a text file is one sheet without either.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Protocol

from hazardscribe.errors import InputError
from hazardscribe.pairs.tables.text_files import decode_text, sniff_separator
from hazardscribe.pairs.workbook.items import CellRange, Picture, Row, Sheet

_END = "\ue000end of the file\ue000"
"""Follows the last line: an open quotation mark swallows it."""

__all__ = ["Book", "CellRange", "Picture", "Row", "Sheet", "TextBook"]


class Book(Protocol):
    """A ledger file that is open for reading. Rows and columns count from 1."""

    @property
    def contents(self) -> str:
        """What the program itself wrote here: `pairs`, `review` ...; "" for people's ledgers."""

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """The sheets in order."""

    @property
    def unplaced(self) -> tuple[Picture, ...]:
        """Pictures that lie in no cell of any sheet."""

    def rows(self, sheet: Sheet) -> Iterator[Row]:
        """The rows from top to bottom, as a stream; rows that hold nothing may be left out."""

    def merges(self, sheet: Sheet) -> Sequence[CellRange]:
        """The merged cells."""

    def pictures(self, sheet: Sheet) -> Sequence[Picture]:
        """The pictures that lie in the sheet's cells."""

    def read_picture(self, picture: Picture) -> bytes:
        """The picture's file as it is stored."""


class TextBook:
    """A CSV or TSV file as a book of one sheet without a name.

    Rows are numbered as `read_pairs` does it: by records, wholly empty lines left out.
    """

    contents: str = ""
    unplaced: tuple[Picture, ...] = ()

    def __init__(self, path: Path, chosen: Mapping[str, str]) -> None:
        """Read the file; `chosen` (role -> column) helps to find the separator.

        Raises:
            InputError: it is no text, or no table.
        """
        self._path = path
        try:
            self._text = decode_text(path.read_bytes(), path)
        except OSError as error:
            raise InputError(
                f"{path}: cannot be read ({error.strerror or error}); check the file"
            ) from error
        self.separator, _ = sniff_separator(self._text, path, chosen)
        self.sheets = (Sheet("", False, 0),)

    def rows(self, sheet: Sheet) -> Iterator[Row]:
        """The records in order."""
        lines = chain(io.StringIO(self._text, newline=""), (_END,))
        reader = csv.reader(lines, delimiter=self.separator)
        begins = number = 0
        try:
            for record in reader:
                if record == [_END]:
                    break
                if record and record[-1].endswith(_END):
                    raise InputError(
                        f"{self._path}: line {begins + 1}: a quotation mark is opened in this row "
                        "and never closed, so all that follows would be lost; correct the row"
                    )
                begins = reader.line_num
                if record:
                    number += 1
                    yield Row(number, tuple(record), False)
        except csv.Error as error:
            raise InputError(
                f"{self._path}: line {reader.line_num}: {error}; a quotation mark that is never "
                "closed is the usual cause"
            ) from error

    def merges(self, sheet: Sheet) -> Sequence[CellRange]:
        """Text has no merged cells."""
        return ()

    def pictures(self, sheet: Sheet) -> Sequence[Picture]:
        """Text has no pictures."""
        return ()

    def read_picture(self, picture: Picture) -> bytes:
        """Never called: there are none."""
        raise KeyError(picture)
