"""Writes the check's report: a self-contained page for people, or JSON for machines.

Nothing of the photos but small copies without metadata goes into the page, photos are named
from the folder of the pairs on, and personal data in texts is masked: a report gets mailed.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hazardscribe import __version__
from hazardscribe.errors import InputError
from hazardscribe.files import write_json, write_whole
from hazardscribe.pages import data_url, render_page, thumbnail
from hazardscribe.pairs.checking.findings import Finding
from hazardscribe.pairs.checking.page_plots import plots
from hazardscribe.pairs.checking.page_words import LABELS, UNITS, note_for, words_for
from hazardscribe.pairs.checking.personal import mask_personal
from hazardscribe.pairs.checking.subject import Row, Subject
from hazardscribe.pairs.checking.summary import in_short, rows_of

if TYPE_CHECKING:
    from hazardscribe.pairs.checking.check import CheckReport

_SIDE = 240  # pixels, longest side of the small copies
_ROWS = 40  # source rows listed under a finding; JSON has them all
_TOP = 15
_CUT = 300  # characters of a text that are shown


@dataclass(frozen=True, slots=True)
class _Card:
    photos: list[str | None]
    texts: list[str]
    note: str
    places: str


def check_target(path: Path) -> None:
    """Refuse a report of unknown kind, before an hour is spent on its content."""
    if path.suffix.lower() not in (".html", ".json"):
        raise InputError(f"{path}: a report ends with .html (for people) or .json (for machines)")


def write_page(report: CheckReport, path: Path, *, sample: int, seed: int) -> Path:
    """Write the report by its suffix; see `CheckReport.write`."""
    check_target(path)
    as_json = path.suffix.lower() == ".json"
    page = "" if as_json else render(report, sample=sample, seed=seed)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if as_json:
            write_json(path, report.to_json())
        else:
            write_whole(path, lambda draft: draft.write_text(page, "utf-8", errors="replace"))
    except OSError as error:
        raise InputError(
            f"{path}: the report cannot be written ({error.strerror or error}); name another file"
        ) from error
    return path


def render(report: CheckReport, *, sample: int = 24, seed: int = 0) -> str:
    """The page as text."""
    subject = report.subject
    language = subject.language
    labels = LABELS[language]
    template = (resources.files(__package__) / "page.html.j2").read_text(encoding="utf-8")
    small = lru_cache(maxsize=256)(lambda photo: thumbnail(Path(photo), _SIDE))
    rows = list(subject.rows)
    drawn = random.Random(seed).sample(range(len(rows)), min(max(sample, 0), len(rows)))
    counts = report.counts()
    values: dict[str, Any] = {
        "title": labels["title"].format(source=report.source),
        "words": labels,
        "version": __version__,
        "summary": in_short(report),
        "levels": Counter(finding.severity for finding in report.findings),
        "findings": [
            _section(number, f, subject, small) for number, f in enumerate(report.findings)
        ],
        "splits": _splits(subject),
        "known": any(row.hazard is not None for row in rows),
        "categories": _categories(subject),
        "category_column": subject.category_column,
        "plots": [(name, data_url("image/svg+xml", svg.encode())) for name, svg in plots(subject)],
        "texts": _top_texts(subject),
        "sample": [_card_of(rows[index], language, small) for index in sorted(drawn)],
        "made": [
            (labels["version"], __version__),
            (labels["digest"], report.digest),
            (labels["read"], counts["rows_read"]),
            (labels["rejected"], counts["rows_rejected"]),
            (labels["distinct_photos"], counts["distinct_photos"]),
            (labels["distinct_texts"], counts["distinct_texts"]),
            (labels["wording"], Path(report.wording).name),
            (labels["seed"], seed),
        ],
    }
    return render_page(template, values)


def _section(number: int, finding: Finding, subject: Subject, small: Any) -> dict[str, Any]:
    language = subject.language
    words = words_for(finding, language)
    cards = [
        _Card(
            [small(photo) for photo in example.photos],
            [_cut(mask_personal(text)) for text in example.texts],
            _local(mask_personal(note_for(words, example, language)), subject.folder),
            rows_of(example.places, language),
        )
        for example in finding.examples
    ]
    return {
        "id": f"finding-{number}",
        "finding": finding,
        "title": words.title,
        "advice": words.advice,
        "count": f"{finding.count} {UNITS[language][finding.unit]}",
        "cards": cards,
        "rows": rows_of(finding.places[:_ROWS], language),
        "more": max(0, len(finding.places) - _ROWS),
    }


def _local(note: str, folder: Path) -> str:
    """A note whose paths start from the folder of the pairs: messages name photos in full."""
    return note.replace(f"{folder}{os.sep}", "").replace(str(folder), ".")


def _card_of(row: Row, language: str, small: Any) -> _Card:
    text = _cut(mask_personal(row.text))
    return _Card(
        [small(row.photo)], [text], LABELS[language][row.split], rows_of([row.place], language)
    )


def _cut(text: str) -> str:
    return text if len(text) <= _CUT else f"{text[:_CUT]}…"


def _splits(subject: Subject) -> list[dict[str, Any]]:
    return [
        {
            "name": LABELS[subject.language][split],
            "pairs": len(rows),
            "photos": len({row.photo for row in rows}),
            "hazards": sum(row.hazard is True for row in rows),
            "share": f"{len(rows) / len(subject.rows):.0%}",
        }
        for split, rows in subject.by_split().items()
    ]


def _categories(subject: Subject) -> list[tuple[str, list[int]]]:
    """Category -> pairs in each split, most frequent first."""
    if not subject.category_column:
        return []
    by_split = subject.by_split()
    counts = {split: Counter(row.category for row in rows) for split, rows in by_split.items()}
    every = Counter(row.category for row in subject.rows)
    return [
        (name or "–", [counts[split][name] for split in by_split])
        for name, _ in sorted(every.items(), key=lambda item: (-item[1], item[0]))
    ]


def _top_texts(subject: Subject) -> list[tuple[str, int, str]]:
    top = sorted(subject.by_text().items(), key=lambda item: (-len(item[1]), item[0]))[:_TOP]
    total = len(subject.rows)
    return [(_cut(mask_personal(t)), len(rows), f"{len(rows) / total:.1%}") for t, rows in top]
