"""The rows of a split as training reads them: where they lie, one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np

Row = dict[str, Any]


class Rows(Sequence[Row]):
    """Chosen rows of a `datasets.Dataset`, and the text to learn of each.

    Of a row only its number and its text are in memory, equal texts once, so a split that is mapped
    from the disk stays there.

    Args:
        dataset: the split. numbers: `(n,)` of the rows. texts: one a row of the whole split.
    """

    def __init__(self, dataset: Any, numbers: np.ndarray, texts: Sequence[str]) -> None:
        self._dataset, self._numbers, self._texts = dataset, numbers, texts

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> Rows: ...
    def __getitem__(self, place: int | slice) -> Row | Rows:
        """A row, or the rows of a slice."""
        if isinstance(place, slice):
            return Rows(self._dataset, self._numbers[place], self._texts)
        number = int(self._numbers[place])
        row: Row = self._dataset[number]
        return row

    def __iter__(self) -> Iterator[Row]:
        for start in range(0, len(self._numbers), 1000):
            numbers = self._numbers[start : start + 1000].tolist()
            columns = self._dataset[numbers]
            for values in zip(*columns.values(), strict=True):
                yield dict(zip(columns, values, strict=True))

    def spread(self, most: int) -> Rows:
        """At most so many of the rows, evenly spaced over all: their order may mean something."""
        if len(self) <= most:
            return self
        places = np.linspace(0, len(self) - 1, most).round().astype(int)
        return Rows(self._dataset, self._numbers[places], self._texts)

    def texts(self) -> list[str]:
        """The text to learn of each row."""
        return [self._texts[number] for number in self._numbers]

    def photos(self) -> Photos:
        """The photo of each row, read when it is asked for."""
        return Photos(self._dataset, self._numbers)


class Photos(Sequence[str]):
    """Photo paths of chosen rows; see `Rows`."""

    def __init__(self, dataset: Any, numbers: np.ndarray) -> None:
        self._dataset, self._numbers = dataset.select_columns(["photo"]), numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Photos: ...
    def __getitem__(self, place: int | slice) -> str | Photos:
        """A path, or the paths of a slice."""
        if isinstance(place, slice):
            return Photos(self._dataset, self._numbers[place])
        return str(self._dataset[int(self._numbers[place])]["photo"])


def shared(texts: Sequence[str]) -> list[str]:
    """The same texts, equal ones as one object."""
    known: dict[str, str] = {}
    return [known.setdefault(text, text) for text in texts]
