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
        self._dataset = dataset.select(numbers)
        self._texts = [texts[number] for number in numbers]

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> Rows: ...
    def __getitem__(self, place: int | slice) -> Row | Rows:
        """A row, or the rows of a slice."""
        if isinstance(place, slice):
            return Rows(self._dataset, np.arange(len(self))[place], self._texts)
        row: Row = self._dataset[place]
        return row

    def __iter__(self) -> Iterator[Row]:
        for columns in self._dataset.iter(
            batch_size=1000
        ):  # one by one takes several times as long
            for values in zip(*columns.values(), strict=True):
                yield dict(zip(columns, values, strict=True))

    def spread(self, most: int) -> Rows:
        """At most so many of the rows, evenly spaced over all: their order may mean something."""
        if len(self) <= most:
            return self
        places = np.linspace(0, len(self) - 1, most).round().astype(int)
        return Rows(self._dataset, places, self._texts)

    def texts(self) -> list[str]:
        """The text to learn of each row."""
        return self._texts

    def photos(self) -> Sequence[str]:
        """The photo of each row, read when it is asked for."""
        photos: Sequence[str] = self._dataset["photo"]
        return photos


def shared(texts: Sequence[str]) -> list[str]:
    """The same texts, equal ones as one object."""
    known: dict[str, str] = {}
    return [known.setdefault(text, text) for text in texts]
