"""Findings about the whole: rows that were left out, splits, balance of classes and categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import sqrt

from hazardscribe.pairs.checking.findings import (
    EXAMPLES,
    Example,
    Finding,
    Place,
    Severity,
)
from hazardscribe.pairs.checking.subject import Row, Subject, places_of
from hazardscribe.pairs.columns import written_by_program
from hazardscribe.pairs.splits import DEV, TRAIN, VALIDATION

FEW_PHOTOS = 100
"""Photos of dev or validation, below which a score of 0.8 is uncertain by more than 0.08."""

TOO_FEW_PHOTOS = 30
"""Here by more than 0.14: two models can hardly be told apart."""

RARE = 5
"""Training pairs of a category below which little of it is learned."""

# Data that was there and is lost is an error; rows that never were pairs are not.
_REJECTED: dict[str, Severity] = {
    "photo_unreadable": "error",
    "photo_missing": "error",
    "bad_row": "error",
    "bad_split": "error",
    "photo_url": "warning",
    "no_photo_named": "warning",
    "empty_description": "warning",
    "blank": "hint",
}


def table_findings(subject: Subject) -> Iterator[Finding]:
    """Findings on rejected rows, splits and the balance of what is shown."""
    yield from _rejected(subject)
    if written_by_program(subject.columns.get("description", "")):
        yield Finding(
            "text_by_machine",
            "warning",
            len(subject.rows),
            "pairs",
            values={"column": subject.columns["description"]},
        )
    yield from _splits(subject)
    yield from _classes(subject)
    yield from _categories(subject)


def uncertainty(photos: int) -> float:
    """Half of the 95 % interval of a share of 0.8 that was measured on so many photos."""
    return 1.96 * sqrt(0.8 * 0.2 / photos)


def _rejected(subject: Subject) -> Iterator[Finding]:
    counts = Counter(one.reason for one in subject.rejected)
    order = list(_REJECTED)
    for reason in sorted(counts, key=lambda r: order.index(r) if r in order else len(order)):
        ours = [one for one in subject.rejected if one.reason == reason]
        places = tuple(Place(one.file, "", one.row) for one in ours)
        examples = tuple(
            Example(
                (Place(one.file, "", one.row),), values={"detail": one.detail, "name": one.photo}
            )
            for one in ours[:EXAMPLES]
        )
        yield Finding(
            f"rejected_{reason}",
            _REJECTED.get(reason, "warning"),
            counts[reason],
            "rows",
            places,
            examples,
            {"reason": reason},
        )


def _photos(rows: list[Row]) -> int:
    return len({row.photo for row in rows})


def _splits(subject: Subject) -> Iterator[Finding]:
    by_split = subject.by_split()
    missing = [split for split in (TRAIN, DEV, VALIDATION) if split not in by_split]
    if missing:
        yield Finding(
            "split_missing", "warning", len(missing), "splits", values={"splits": missing}
        )
    for split in (DEV, VALIDATION):
        photos = _photos(by_split.get(split, []))
        if 0 < photos < FEW_PHOTOS:
            yield Finding(
                "split_small",
                "warning" if photos < TOO_FEW_PHOTOS else "hint",
                photos,
                "photos",
                values={"split": split, "uncertainty": round(uncertainty(photos), 2)},
            )


def _classes(subject: Subject) -> Iterator[Finding]:
    """Splits that show only hazards, or only safe places, where a column says which."""
    known = {row.hazard for row in subject.rows} - {None}
    if known == {True}:
        yield Finding("hazard_only", "hint", len(subject.rows), "pairs")
    elif known == {True, False}:
        for split, rows in subject.by_split().items():
            values = {row.hazard for row in rows} - {None}
            if len(values) == 1:
                yield Finding(
                    "split_one_class",
                    "warning",
                    len(rows),
                    "pairs",
                    values={"split": split, "hazard": True in values},
                )


def _categories(subject: Subject) -> Iterator[Finding]:
    if not subject.category_column:
        return
    train = Counter(row.category for row in subject.rows if row.split == TRAIN and row.category)
    every = Counter(row.category for row in subject.rows if row.category)
    unseen = {name: count for name, count in every.items() if not train[name]}
    if unseen and train:
        rows = [row for row in subject.rows if row.category in unseen]
        yield Finding(
            "category_unseen",
            "warning",
            len(unseen),
            "groups",
            places_of(rows),
            values={"names": sorted(unseen), "column": subject.category_column},
        )
    rare = sorted(name for name, count in train.items() if count < RARE)
    if rare:
        rows = [row for row in subject.rows if row.category in rare]
        yield Finding(
            "category_rare",
            "hint",
            len(rare),
            "groups",
            places_of(rows),
            values={"names": rare, "column": subject.category_column},
        )
