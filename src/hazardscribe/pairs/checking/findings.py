"""What a check finds: a stable code, how bad it is, how often it occurs, and where.

The words for people stand in `page_words.py`; here are the facts, which a pipeline can read as
JSON. Severities are few and mean what to do: an `error` makes results wrong (a photo in two
splits) or loses data (an unreadable photo); a `warning` probably teaches something wrong; a `hint`
is worth a look.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "hint"]
Unit = Literal["photos", "pairs", "texts", "rows", "splits", "groups", "model"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "hint")
"""Worst first."""

EXAMPLES = 8
"""How many examples a finding shows."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a pair stood first: table, sheet ("" in tables without), row below the header from 1.

    The row is None where the whole file is meant.
    """

    file: str
    sheet: str
    row: int | None


@dataclass(frozen=True, slots=True)
class Example:
    """One case of a finding.

    Attributes:
        places: the source rows.
        photos: absolute paths of the photos to show.
        texts: the descriptions to show.
        values: what was measured or found, for the words of the finding.
    """

    places: tuple[Place, ...]
    photos: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of thing that was found.

    Attributes:
        code: stable name, such as `photo_blurred`.
        severity: `error`, `warning` or `hint`.
        count: how many photos, pairs, texts ... it concerns.
        unit: what is counted.
        places: the source rows of all of them, in order.
        examples: the clearest cases, at most `EXAMPLES`.
        values: further facts, for the words of the finding.
    """

    code: str
    severity: Severity
    count: int
    unit: Unit
    places: tuple[Place, ...] = ()
    examples: tuple[Example, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain data; rows are [file, sheet, row]."""
        return {
            "code": self.code,
            "severity": self.severity,
            "count": self.count,
            "unit": self.unit,
            **({"values": dict(self.values)} if self.values else {}),
            "rows": [[place.file, place.sheet, place.row] for place in self.places],
        }
