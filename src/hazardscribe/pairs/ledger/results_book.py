"""What people corrected in Label Studio, as a book of one sheet: one row a task."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hazardscribe.pairs.ledger.grid import Book, Row, Sheet
from hazardscribe.pairs.tables.label_studio_results import read_results


class ResultsBook(Book):
    """A JSON export of Label Studio. Only annotations count; predictions never become truth.

    Attributes:
        settled: the splits of the pairs that were reviewed are final.
        bad: row -> (reason, detail) of tasks that give no pair.
    """

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            InputError: it cannot be read, or is no such export.
        """
        self._table = read_results(path, path.name)
        self.settled = self._table.settled
        self.bad = {number + 1: reason for number, reason in self._table.bad.items()}

    def rows(self, sheet: Sheet) -> Iterator[Row]:
        """The names of the columns, then the tasks in order."""
        yield Row(1, tuple(self._table.names), False)
        for number, cells in enumerate(self._table.rows, start=2):
            yield Row(number, tuple(cells), False)
