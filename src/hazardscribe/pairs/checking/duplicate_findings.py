"""Findings about photos that occur twice, within a split and across splits, and about their texts.

A photo (or its twin) in train and in validation makes every score a little too good: that is an
error. Within a split twins are harmless but count for one; a hint. Equal bytes are equal photos;
what near-duplicates are is said by `near_duplicates`, as for the splits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from hazardscribe.pairs.checking.findings import EXAMPLES, Example, Finding
from hazardscribe.pairs.checking.subject import Row, Subject, places_of
from hazardscribe.pairs.near_duplicates import near_pairs

if TYPE_CHECKING:
    import numpy as np


def duplicate_findings(subject: Subject) -> Iterator[Finding]:
    """Findings on equal and nearly equal photos."""
    by_digest = subject.by_digest()
    yield from _equal(by_digest)
    yield from _several_texts(by_digest)
    yield from _twins(subject, by_digest)


def _equal(by_digest: dict[str, list[Row]]) -> Iterator[Finding]:
    leaks = [rows for rows in by_digest.values() if len(_splits(rows)) > 1]
    if leaks:
        yield Finding(
            "leak_same_photo",
            "error",
            len(leaks),
            "photos",
            places_of([row for rows in leaks for row in rows]),
            tuple(_example(_one_a_split(rows)) for rows in leaks[:EXAMPLES]),
        )
    copies = [
        rows
        for rows in by_digest.values()
        if len({row.photo for row in rows}) > 1 and len(_splits(rows)) == 1
    ]
    if copies:
        yield Finding(
            "photo_copies",
            "hint",
            len(copies),
            "photos",
            places_of([row for rows in copies for row in rows]),
            tuple(_example(rows[:2], show=1) for rows in copies[:EXAMPLES]),
        )


def _several_texts(by_digest: dict[str, list[Row]]) -> Iterator[Finding]:
    """The same photo with different texts, with contradicting ones, or with the same one twice."""
    contradicting = [
        rows for rows in by_digest.values() if {True, False} <= {row.hazard for row in rows}
    ]
    if contradicting:
        yield Finding(
            "photo_contradicts",
            "warning",
            len(contradicting),
            "photos",
            places_of([row for rows in contradicting for row in rows]),
            tuple(_example(rows, show=1) for rows in contradicting[:EXAMPLES]),
        )
    several = [rows for rows in by_digest.values() if len({row.text for row in rows}) > 1]
    if several:
        several.sort(key=lambda rows: -len({row.text for row in rows}))
        yield Finding(
            "photo_several_texts",
            "hint",
            len(several),
            "photos",
            places_of([row for rows in several for row in rows]),
            tuple(_example(rows, show=1) for rows in several[:EXAMPLES]),
            {"most": len({row.text for row in several[0]})},
        )
    repeated: list[Row] = []
    shown: list[Example] = []
    for rows in by_digest.values():
        seen: dict[str, Row] = {}
        for row in rows:
            if row.text in seen:
                repeated.append(row)
                if len(shown) < EXAMPLES:
                    shown.append(_example([seen[row.text], row], show=1))
            else:
                seen[row.text] = row
    if repeated:
        yield Finding(
            "pair_repeated",
            "warning",
            len(repeated),
            "pairs",
            places_of(repeated),
            tuple(shown),
        )


def _twins(subject: Subject, by_digest: dict[str, list[Row]]) -> Iterator[Finding]:
    """Photos of different bytes that show nearly the same, across splits and within them.

    The pairs may be very many (a camera that stands still), so only their photos are kept.
    """
    import numpy as np

    photos = list(by_digest.values())
    splits = [_splits(rows) for rows in photos]
    numbers = {found: number for number, found in enumerate(dict.fromkeys(splits))}
    of_photo = np.array([numbers[found] for found in splits])
    across, within = _Twins(photos), _Twins(photos)
    for first, second, likeness in near_pairs(
        [subject.measures[rows[0].photo].look for rows in photos]
    ):
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
        yield Finding(
            code,
            "error" if code.startswith("leak") else "hint",
            len({row.photo for row in rows}),
            "photos",
            places_of(rows),
            tuple(
                _example(
                    [self._photos[first][0], self._photos[second][0]], likeness=round(alike, 2)
                )
                for alike, first, second in self._clearest
            ),
        )


def _splits(rows: Sequence[Row]) -> frozenset[str]:
    return frozenset(row.split for row in rows)


def _one_a_split(rows: Sequence[Row]) -> list[Row]:
    return list({row.split: row for row in reversed(rows)}.values())[::-1]


def _example(rows: Sequence[Row], show: int = 2, **values: float) -> Example:
    return Example(
        places_of(rows),
        tuple(dict.fromkeys(row.photo for row in rows))[:show],
        tuple(dict.fromkeys(row.text for row in rows))[:5],
        {"splits": [row.split for row in rows][:5], **values},
    )
