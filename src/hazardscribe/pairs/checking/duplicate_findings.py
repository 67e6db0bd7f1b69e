"""Findings about photos that occur twice, within a split and across splits, and about their texts.

A photo (or its twin) in train and in validation makes every score a little too good: that is an
error. Within a split twins are harmless but count for one; a hint. Equal bytes are equal photos;
what near-duplicates are is said by `near_duplicates`, as for the splits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from hazardscribe.pairs.checking.findings import EXAMPLES, Example, Finding, Severity
from hazardscribe.pairs.checking.subject import Row, Subject, places_of
from hazardscribe.pairs.near_duplicates import near_pairs

if TYPE_CHECKING:
    import numpy as np


def duplicate_findings(subject: Subject) -> Iterator[Finding]:
    """Findings on equal and nearly equal photos."""
    photos = list(subject.by_digest().values())
    leaks = [rows for rows in photos if len(_splits(rows)) > 1]
    yield from _finding("leak_same_photo", "error", leaks, part=_one_a_split, show=2)
    copies = [
        rows for rows in photos if len({row.photo for row in rows}) > 1 and len(_splits(rows)) == 1
    ]
    yield from _finding("photo_copies", "hint", copies, part=lambda rows: rows[:2])
    contradicting = [rows for rows in photos if {True, False} <= {row.hazard for row in rows}]
    yield from _finding("photo_contradicts", "warning", contradicting)
    several = [rows for rows in photos if _texts(rows) > 1]
    several.sort(key=lambda rows: -_texts(rows))
    most = {"most": _texts(several[0])} if several else {}
    yield from _finding("photo_several_texts", "hint", several, values=most)
    yield from _repeated(photos)
    yield from _twins(subject, photos)


def _finding(
    code: str,
    severity: Severity,
    photos: Sequence[list[Row]],
    *,
    part: Callable[[list[Row]], list[Row]] = list,
    show: int = 1,
    values: Mapping[str, int] = MappingProxyType({}),
) -> Iterator[Finding]:
    """A finding on photos that are each given by their rows, if there are any.

    Args:
        part: of a photo's rows, which an example is of.
        show: photo files of an example that are shown.
    """
    if photos:
        yield Finding(
            code,
            severity,
            len(photos),
            "photos",
            places_of([row for rows in photos for row in rows]),
            tuple(_example(part(rows), show) for rows in photos[:EXAMPLES]),
            values,
        )


def _repeated(photos: Sequence[list[Row]]) -> Iterator[Finding]:
    """The same photo with the same text again."""
    repeated: list[Row] = []
    shown: list[Example] = []
    for rows in photos:
        seen: dict[str, Row] = {}
        for row in rows:
            if seen.setdefault(row.text, row) is not row:
                repeated.append(row)
                shown.append(_example([seen[row.text], row]))
    if repeated:
        examples = tuple(shown[:EXAMPLES])
        places = places_of(repeated)
        yield Finding("pair_repeated", "warning", len(repeated), "pairs", places, examples)


def _twins(subject: Subject, photos: Sequence[list[Row]]) -> Iterator[Finding]:
    """Photos of different bytes that show nearly the same, across splits and within them.

    The pairs may be very many (a camera that stands still), so only their photos are kept.
    """
    import numpy as np

    splits = [_splits(rows) for rows in photos]
    numbers = {found: number for number, found in enumerate(dict.fromkeys(splits))}
    of_photo = np.array([numbers[found] for found in splits])
    across, within = _Twins(photos), _Twins(photos)
    looks = [subject.measures[rows[0].photo].look for rows in photos]
    for first, second, likeness in near_pairs(looks):
        apart = of_photo[first] != of_photo[second]
        across.add(first[apart], second[apart], likeness[apart])
        within.add(first[~apart], second[~apart], likeness[~apart])
    yield from across.finding("leak_near_duplicate")
    yield from within.finding("near_duplicate")


class _Twins:
    """The photos that have a twin, and the clearest pairs of them."""

    def __init__(self, photos: Sequence[list[Row]]) -> None:
        self._photos = photos
        self._found: set[int] = set()
        self._clearest: list[tuple[float, int, int]] = []

    def add(self, first: np.ndarray, second: np.ndarray, likeness: np.ndarray) -> None:
        self._found.update(first.tolist(), second.tolist())
        best = (-likeness).argsort(kind="stable")[:EXAMPLES]
        pairs = zip(*(part[best].tolist() for part in (likeness, first, second)), strict=True)
        self._clearest = sorted([*self._clearest, *pairs], key=lambda one: -one[0])[:EXAMPLES]

    def finding(self, code: str) -> Iterator[Finding]:
        if not self._found:
            return
        rows = [row for photo in sorted(self._found) for row in self._photos[photo]]
        severity: Severity = "error" if code.startswith("leak") else "hint"
        count = len({row.photo for row in rows})
        examples = tuple(
            _example([self._photos[first][0], self._photos[second][0]], 2, likeness=round(alike, 2))
            for alike, first, second in self._clearest
        )
        yield Finding(code, severity, count, "photos", places_of(rows), examples)


def _texts(rows: Sequence[Row]) -> int:
    return len({row.text for row in rows})


def _splits(rows: Sequence[Row]) -> frozenset[str]:
    return frozenset(row.split for row in rows)


def _one_a_split(rows: Sequence[Row]) -> list[Row]:
    return list({row.split: row for row in reversed(rows)}.values())[::-1]


def _example(rows: Sequence[Row], show: int = 1, **values: float) -> Example:
    return Example(
        places_of(rows),
        tuple(dict.fromkeys(row.photo for row in rows))[:show],
        tuple(dict.fromkeys(row.text for row in rows))[:5],
        {"splits": [row.split for row in rows][:5], **values},
    )
