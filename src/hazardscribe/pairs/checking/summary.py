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
    colon, comma = ("：", "，") if language == "zh" else (": ", ", ")
    splits = report.subject.by_split()
    yield labels["splits"] + colon + comma.join(f"{labels[s]} {len(r)}" for s, r in splits.items())
    width = max((len(finding.code) for finding in report.findings), default=0)
    widest = max(len(labels[severity]) for severity in SEVERITIES)
    for finding in report.findings:
        number = f"{finding.count} {UNITS[language][finding.unit]}"
        title = words_for(finding, language).title
        yield (
            f"{labels[finding.severity]:{widest}}  {finding.code:{width}}  "
            f"{number}  {title}{_first(finding.places, language)}"
        )
    yield last


def _first(places: Sequence[Place], language: str) -> str:
    if not places:
        return ""
    row = rows_of(places[:1], language)
    return f"（首处：{row}）" if language == "zh" else f" (first: {row})"


def in_short(report: CheckReport) -> list[str]:
    """What was checked and what came of it: two paragraphs of sentences."""
    counts, zh = report.counts(), report.subject.language == "zh"
    level = Counter(finding.severity for finding in report.findings)
    errors, warnings, hints = (level[severity] for severity in SEVERITIES)
    first = (
        f"读取 {counts['rows_read']} 行，得到 {counts['pairs']} 条样本、{counts['photos']} 张照片、"
        f"{counts['distinct_texts']} 种描述；{counts['rows_rejected']} 行未形成样本。"
        if zh
        else f"{counts['rows_read']} rows gave {counts['pairs']} pairs: {counts['photos']} photos "
        f"and {counts['distinct_texts']} different descriptions; {counts['rows_rejected']} rows "
        "gave none."
    )
    second = (
        f"共 {errors} 类错误、{warnings} 类警告、{hints} 类提示。"
        if zh
        else f"Kinds of findings: {errors} errors, {warnings} warnings, {hints} hints."
    )
    if errors:
        third = "训练前请先处理错误。" if zh else "Mend the errors before training."
    elif warnings:
        third = (
            "可以训练；警告处值得先看一看。"
            if zh
            else "Fit for training; look at the warnings first."
        )
    else:
        third = "可以训练。" if zh else "Fit for training."
    return [first, f"{second}{'' if zh else ' '}{third}"]


def rows_of(places: Sequence[Place], language: str) -> str:
    """Rows by table: `pairs.csv: 3, 7, 12`."""
    tables: dict[tuple[str, str], list[str]] = {}
    for place in places:
        rows = tables.setdefault((place.file, place.sheet), [])
        if place.row is not None:
            rows.append(str(place.row))
    parts = []
    for (file, sheet), rows in tables.items():
        name = f"{file} [{sheet}]" if sheet else file
        listed = (
            # Not the number that a spreadsheet shows beside the row: say so.
            (
                f" 表头下第 {'、'.join(rows)} 行"
                if language == "zh"
                else f" row {', '.join(rows)} below the header"
            )
            if rows
            else ""
        )
        parts.append(name + listed)
    return ("；" if language == "zh" else "; ").join(parts)
