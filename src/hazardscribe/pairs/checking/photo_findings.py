"""Findings about single photos: those that show little, and those that are needlessly large."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from hazardscribe.pairs.checking.findings import EXAMPLES, Example, Finding, Severity
from hazardscribe.pairs.checking.measure import Measure
from hazardscribe.pairs.checking.subject import Row, Subject, places_of

MIN_SIDE = 128
"""Shorter side in pixels below which a helmet a few metres away is a handful of pixels."""

MIN_SHARPNESS = 100.0
"""See `measure`: the least of 1,112 real photos has 690, clearly blurred copies less than 100."""

MAX_DARK = 40.0
"""Of a dark photo, 95 % of the area lies below. The darkest real night shots, on which people can
be made out, have 49 and 59."""

MIN_BRIGHT = 215.0
"""Of an over-exposed photo, 90 % of the area lies above. Cut-out people on white reach 182."""

MIN_RANGE = 12.0
"""Grey values between the 5th and the 95th percentile, below which there is no picture at all."""

HUGE_PIXELS = 36_000_000
HUGE_BYTES = 15 * 1024 * 1024
"""Beyond what a phone writes by default (12 megapixels, some MiB): only time is lost on them."""

_AFTER = re.compile(
    r"整改后|整改完|已整改|治理后|复查后|销号后|(?<![a-z])after(?![a-z])|rectified", re.IGNORECASE
)


def photo_findings(subject: Subject) -> Iterator[Finding]:
    """Findings on what single photos show, how large they are and what they are called."""
    measures = subject.measures
    tests: list[tuple[str, Severity, Callable[[Measure], bool], Callable[[Measure], float]]] = [
        ("photo_tiny", "warning", lambda m: m.shorter < MIN_SIDE, lambda m: m.shorter),
        ("photo_even", "warning", _even, lambda m: m.bright - m.dark),
        ("photo_dark", "warning", _dark, lambda m: m.bright),
        ("photo_bright", "warning", _bright, lambda m: -m.low),
        ("photo_blurred", "warning", _blurred, lambda m: m.sharpness),
        ("photo_huge", "hint", _huge, lambda m: -m.width * m.height),
    ]
    by_photo = subject.by_photo()

    def finding(
        code: str, severity: Severity, hit: list[str], clearest: list[str]
    ) -> Iterator[Finding]:
        if hit:
            places = places_of([row for photo in hit for row in by_photo[photo]])
            shown = clearest[:EXAMPLES]
            examples = tuple(_example(by_photo[photo], measures[photo]) for photo in shown)
            yield Finding(code, severity, len(hit), "photos", places, examples)

    for code, severity, wrong, worst in tests:
        hit = [photo for photo in by_photo if wrong(measures[photo])]
        clearest = sorted(hit, key=lambda photo: worst(measures[photo]))
        yield from finding(code, severity, hit, clearest)
    after = [photo for photo, rows in by_photo.items() if _AFTER.search(rows[0].name)]
    if _AFTER.search(subject.columns.get("photo", "")):
        after = list(by_photo)
    yield from finding("photo_after", "warning", after, after)


def _even(m: Measure) -> bool:
    return m.bright - m.dark < MIN_RANGE


def _dark(m: Measure) -> bool:
    return m.bright < MAX_DARK and not _even(m)


def _bright(m: Measure) -> bool:
    return m.low > MIN_BRIGHT and not _even(m)


def _blurred(m: Measure) -> bool:
    # Where there is next to no light there are no edges either: one finding for one cause.
    return m.sharpness < MIN_SHARPNESS and not (_even(m) or _dark(m) or _bright(m))


def _huge(m: Measure) -> bool:
    return m.width * m.height > HUGE_PIXELS or m.size > HUGE_BYTES


def _example(rows: list[Row], m: Measure) -> Example:
    return Example(
        places_of(rows),
        (rows[0].photo,),
        (rows[0].text,),
        {
            "width": m.width,
            "height": m.height,
            "megabytes": round(m.size / 2**20, 2),
            "sharpness": m.sharpness,
            "bright": round(m.bright),
            "low": round(m.low),
            "name": rows[0].name,
        },
    )
