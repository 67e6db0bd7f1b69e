"""What a check found, in short: for a terminal and for the head of the page.

It speaks the descriptions' language, as an import does, with the codes beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from hazardscribe.pairs.checking.findings import SEVERITIES, Place
from hazardscribe.pairs.checking.page_words import LABELS, UNITS, words_for

if TYPE_CHECKING:
    from hazardscribe.pairs.checking.check import CheckReport


def summary_lines(report: CheckReport) -> Iterator[str]:
    """Sizes, the splits, a line a finding, and what to do now."""
    language = report.subject.language
    labels = LABELS[language]
    first, last = in_short(report)
    yield first
    splits = [f"{labels[split]} {len(of)}" for split, of in report.subject.by_split().items()]
    yield labels["splits"] + labels["colon"] + labels["comma"].join(splits)
    width = max((len(finding.code) for finding in report.findings), default=0)
    widest = max(len(labels[severity]) for severity in SEVERITIES)
    for finding in report.findings:
        number = f"{finding.count} {UNITS[language][finding.unit]}"
        title = words_for(finding, language).title
        first_at = rows_of(finding.places[:1], language)
        yield (
            f"{labels[finding.severity]:{widest}}  {finding.code:{width}}  "
            f"{number}  {title}{labels['first'].format(row=first_at) if first_at else ''}"
        )
    yield last


def in_short(report: CheckReport) -> list[str]:
    """What was checked and what came of it: two paragraphs of sentences."""
    labels = LABELS[report.subject.language]
    level = Counter(finding.severity for finding in report.findings)
    kinds = labels["kinds"].format(**{severity: level[severity] for severity in SEVERITIES})
    worst = next((one for one in ("error", "warning") if level[one]), "none")
    return [labels["sizes"].format(**report.counts()), kinds + labels[f"after_{worst}"]]


def rows_of(places: Sequence[Place], language: str) -> str:
    """Rows by table: `pairs.csv row 3, 7, 12 below the header`."""
    labels = LABELS[language]
    tables: dict[tuple[str, str], list[str]] = {}
    for place in places:
        rows = tables.setdefault((place.file, place.sheet), [])
        if place.row is not None:
            rows.append(str(place.row))
    parts = []
    for (file, sheet), rows in tables.items():
        name = f"{file} [{sheet}]" if sheet else file
        # Not the number that a spreadsheet shows beside the row: say so.
        below = labels["below"].format(rows=labels["and"].join(rows)) if rows else ""
        parts.append(name + below)
    return labels["also"].join(parts)
