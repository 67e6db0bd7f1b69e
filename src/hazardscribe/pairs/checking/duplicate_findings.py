"""Findings about photos that occur twice, within a split and across splits, and about their texts.

A photo (or its twin) in train and in validation makes every score a little too good: that is an
error. Within a split twins are harmless but count for one; a hint. Equal bytes are equal photos;
near-duplicates have difference hashes within a few bits *and* look alike cell by cell, because
the hash alone takes empty walls for one another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from hazardscribe.pairs.checking.findings import EXAMPLES, Example, Finding
from hazardscribe.pairs.checking.measure import likeness
from hazardscribe.pairs.checking.subject import Row, Subject, places_of
from hazardscribe.pairs.near_duplicates import MAX_DISTANCE, group_hashes

MIN_LIKENESS = 0.88
"""Correlation of miniatures; see `measure.likeness`."""

_LARGEST_GROUP = 400  # photos compared one with another; the rest of a group with its first

Twins = tuple[list[Row], list[Row], float]


def duplicate_findings(subject: Subject) -> Iterator[Finding]:
    """Findings on equal and nearly equal photos."""
    by_digest = subject.by_digest()
    yield from _equal(by_digest)
    yield from _several_texts(by_digest)
    twins = list(_twins(subject, by_digest))
    across = [both for both in twins if _splits(both[0]) != _splits(both[1])]
    within = [both for both in twins if _splits(both[0]) == _splits(both[1])]
    if across:
        yield _twin_finding("leak_near_duplicate", across)
    if within:
        yield _twin_finding("near_duplicate", within)


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


def _twins(subject: Subject, by_digest: dict[str, list[Row]]) -> Iterator[Twins]:
    """Pairs of photos, of different bytes, that show nearly the same."""
    digests = list(by_digest)
    measures = [subject.measures[by_digest[digest][0].photo] for digest in digests]
    groups: dict[int, list[int]] = {}
    for index, group in enumerate(group_hashes([measure.hash for measure in measures])):
        groups.setdefault(group, []).append(index)
    for members in groups.values():
        pairs = combinations(members[:_LARGEST_GROUP], 2)
        rest = ((members[0], other) for other in members[_LARGEST_GROUP:])
        for a, b in (*pairs, *rest):
            first, second = measures[a], measures[b]
            if first.hash is None or second.hash is None:
                continue
            if (first.hash ^ second.hash).bit_count() > MAX_DISTANCE:
                continue
            alike = likeness(first, second)
            if alike >= MIN_LIKENESS:
                yield by_digest[digests[a]], by_digest[digests[b]], alike


def _twin_finding(code: str, twins: Sequence[Twins]) -> Finding:
    rows = [row for first, second, _ in twins for row in (*first, *second)]
    clearest = sorted(twins, key=lambda both: -both[2])[:EXAMPLES]
    return Finding(
        code,
        "error" if code.startswith("leak") else "hint",
        len({row.photo for row in rows}),
        "photos",
        places_of(rows),
        tuple(
            _example([first[0], second[0]], likeness=round(alike, 2))
            for first, second, alike in clearest
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
