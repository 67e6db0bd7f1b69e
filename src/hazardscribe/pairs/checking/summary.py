"""The check's result for a terminal: one line a finding, in English like the other verbs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hazardscribe.pairs.checking.findings import SEVERITIES
from hazardscribe.pairs.checking.page_words import UNITS, words_for

if TYPE_CHECKING:
    from hazardscribe.pairs.checking.check import CheckReport


def summary_lines(report: CheckReport) -> Iterator[str]:
    """Sizes, a table of the findings, and how many there are of each severity."""
    counts = report.counts()
    parts = ", ".join(f"{s} {len(rows)}" for s, rows in report.subject.by_split().items())
    yield (
        f"{counts['pairs']} pairs ({parts}) from {counts['rows_read']} rows; "
        f"{counts['photos']} photos, {counts['distinct_texts']} different descriptions; "
        f"{counts['rows_rejected']} rows gave no pair"
    )
    width = max((len(finding.code) for finding in report.findings), default=0)
    for finding in report.findings:
        number = f"{finding.count} {UNITS['en'][finding.unit]}"
        title = words_for(finding, "en").title
        where = f" (first: {finding.places[0]})" if finding.places else ""
        yield f"{finding.severity:8} {finding.code:{width}}  {number:>14}  {title}{where}"
    level = Counter(finding.severity for finding in report.findings)
    yield ", ".join(f"{severity}s: {level[severity]}" for severity in SEVERITIES)
