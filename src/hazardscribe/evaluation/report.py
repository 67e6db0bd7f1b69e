"""Writes what people open after an evaluation: `metrics.json` and one `report.html`.

The page is self-contained: photos (scaled down, their metadata dropped) and plots lie within it,
it asks nothing of any network, and a policy in its head forbids it to. Photos are named by file
name only, so that a report that is passed on does not tell where they lay.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import resources
from pathlib import Path, PurePath
from typing import Any

from hazardscribe.errors import InputError
from hazardscribe.evaluation.baselines import BASELINES
from hazardscribe.evaluation.comparison_words import (
    clearly,
    comparison_rows,
    comparison_sentences,
)
from hazardscribe.evaluation.notices import notices_of, reason_in, shuffle_failed, shuffle_undecided
from hazardscribe.evaluation.plots import element_plot, score_plot
from hazardscribe.evaluation.report_words import COUNTS, METRICS, WORDS, summary
from hazardscribe.evaluation.result import CaseScore, Comparison, Evaluation, Score
from hazardscribe.evaluation.tokens import chinese_pieces, normalise
from hazardscribe.evaluation.trust_plots import trust_plots
from hazardscribe.evaluation.trust_words import compared_scores, trust_rows, trust_sentences
from hazardscribe.files import write_whole
from hazardscribe.pages import data_url, render_page, thumbnail
from hazardscribe.pairs.checking.personal import mask_personal

MAX_CASES = 200  # photos that the page shows, worst first

Piece = tuple[str, bool]  # text, and whether only one side has it
Picture = tuple[str, str]  # caption, data URL
Look = Callable[[CaseScore], Sequence[Picture]]


@dataclass(frozen=True, slots=True)
class _Card:
    """One photo as the page shows it."""

    case: CaseScore
    name: str
    photo: str | None
    verdict: str
    written: list[Piece]
    predicted: list[Piece]
    others: list[str]
    evidence: Sequence[Picture]
    theirs: str = ""  # what the model compared with wrote
    change: str = ""  # "better" or "worse" than that, where only one of the two is acceptable


def check_folder(folder: Path) -> None:
    """Refuse, before any work, a folder whose `report.html` is not an evaluation's.

    An import keeps its account of every row under that name.

    Raises:
        InputError: `report.html` lies there without the `metrics.json` of an evaluation.
    """
    if (folder / "report.html").exists() and not (folder / "metrics.json").exists():
        raise InputError(
            f"--out {folder}: holds a report.html that no evaluation wrote, such as that of an "
            "import. Name another folder."
        )


def write_report(
    evaluation: Evaluation,
    folder: str | Path,
    *,
    title: str,
    run: dict[str, Any] | None = None,
    look: Look | None = None,
    looks: int = 0,
) -> Path:
    """Writes `metrics.json` and `report.html` into `folder`, which is made when missing.

    Args:
        evaluation: what to report; the page is in its language.
        folder: where to write.
        title: heading of the page.
        run: what to tell about the model and the data; nested mappings are flattened.
        look: makes pictures for a photo's card, such as heat maps.
        looks: for how many of the photos, worst first.

    Returns:
        The path of `report.html`.

    Raises:
        InputError: the folder cannot be written.
    """
    folder = Path(folder)
    data = {"title": title, **evaluation.to_json(), **({"run": run} if run else {})}
    page = folder / "report.html"
    html = render(evaluation, title, run, look, looks)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        figures = json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False, default=str)
        for path, text in ((folder / "metrics.json", figures + "\n"), (page, html)):
            write_whole(path, partial(Path.write_text, data=text, encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"--out {folder}: the report cannot be written here ({error.strerror or error}). "
            "Name another folder."
        ) from error
    return page


def render(
    evaluation: Evaluation,
    title: str,
    run: Mapping[str, Any] | None,
    look: Look | None = None,
    looks: int = 0,
) -> str:
    """The page as text."""
    template = (resources.files(__package__) / "report.html.j2").read_text(encoding="utf-8")
    language = evaluation.language
    worst = sorted(evaluation.cases, key=lambda case: case.badness, reverse=True)[:MAX_CASES]
    baselines = [name for name in BASELINES if evaluation.baselines.get(name) is not None]
    comparison = evaluation.against
    values = {
        "title": title,
        "words": WORDS[language],
        "evaluation": evaluation,
        "summary": summary(evaluation),
        "warnings": notices_of(evaluation),
        "beware_first": shuffle_failed(evaluation.metrics),
        "baselines": baselines,
        "rows": list(_rows(evaluation, baselines)),
        "labels": {name: score.label for name, score in evaluation.elements.items()},
        "counts": [
            (COUNTS[name][language == "zh"], value) for name, value in evaluation.counts.items()
        ],
        "plots": [
            data_url("image/svg+xml", svg.encode())
            for svg in (score_plot(evaluation), element_plot(evaluation))
            if svg
        ],
        "against": comparison
        and {
            "model": comparison.model,
            "sentences": comparison_sentences(comparison, language),
            "rows": [
                (*row, clearly(row[-1], row[2])) for row in comparison_rows(comparison, language)
            ],
        },
        "filters": ("all", "missed", "alarm", "other", "unsaid", "right")
        + (("better", "worse") if comparison else ()),
        "trust_sentences": trust_sentences(evaluation),
        "trust_rows": trust_rows(evaluation),
        "compared": compared_scores(evaluation),
        "trust_plots": [data_url("image/svg+xml", svg.encode()) for svg in trust_plots(evaluation)],
        "cards": [
            _compared(_card(case, language, look(case) if look and at < looks else ()), comparison)
            for at, case in enumerate(worst)
        ],
        "run": list(_flat(run or {})),
    }
    return render_page(template, values)


def _rows(evaluation: Evaluation, baselines: Sequence[str]) -> Any:
    """The headline table: label, direction, cells of model and baselines, reason for a null."""
    language = evaluation.language
    # Likeness of meaning is high for any sentence of the trade: no merit without looking.
    unproven = shuffle_failed(evaluation.metrics) or shuffle_undecided(evaluation.metrics)
    unearned = {"text_similarity"} if unproven else set()
    for name, (english, chinese, up) in METRICS.items():
        if name not in evaluation.metrics:
            continue
        columns = [evaluation.metrics, *(evaluation.baselines[b] or {} for b in baselines)]
        scores = [column.get(name, Score(None)) for column in columns]
        known = [score.value for score in scores if score.value is not None]
        best = None if up is None or not known else (max if up else min)(known)
        yield {
            "name": name,
            "label": chinese if language == "zh" else english,
            "up": up,
            "starts": name in _GROUP_STARTS,
            "cells": [
                (
                    score,
                    score.value is not None
                    and score.value == best
                    and not (name in unearned and place == 0),
                )
                for place, score in enumerate(scores)
            ],
            "reason": reason_in(language, evaluation.nulls.get(name, "")),
        }


_GROUP_STARTS = {"hazard_f1", "element_f1", "cider_d", "distinct_share"}


def _card(case: CaseScore, language: str, evidence: Sequence[Picture]) -> _Card:
    """Compares the prediction with the reference that is most like it."""
    # A report is passed on: telephone and identity-card numbers are no part of what it says.
    references = [mask_personal(text) for text in case.references]
    ours = _words(mask_personal(case.prediction), language)
    theirs = [_words(text, language) for text in references]
    ratios = [difflib.SequenceMatcher(None, text, ours, autojunk=False).ratio() for text in theirs]
    nearest = ratios.index(max(ratios))
    written, predicted = difference(theirs[nearest], ours)
    if case.hazard != case.said_hazard:
        verdict = "missed" if case.hazard else "alarm"
    else:
        # An empty answer on a safe photo is counted as "no hazard named", but it is not right.
        silent = case.cannot_judge or not case.prediction
        wrong = case.missing or case.invented
        verdict = "unsaid" if silent else "other" if wrong else "right"
    return _Card(
        case=case,
        name=PurePath(case.photo).name,
        photo=thumbnail(Path(case.photo)),
        verdict=verdict,
        written=written,
        predicted=predicted,
        others=[text for i, text in enumerate(references) if i != nearest],
        evidence=[(mask_personal(caption), url) for caption, url in evidence],
    )


def _compared(card: _Card, comparison: Comparison | None) -> _Card:
    """The card with what the other model wrote, if it was asked about this photo."""
    changed = None if comparison is None else comparison.changed.get(card.case.photo)
    if changed is None:
        return card
    change = {1: "better", -1: "worse"}.get(changed.better, "")
    return replace(card, theirs=mask_personal(changed.text), change=change)


def _words(text: str, language: str) -> list[str]:
    """Pieces that put together again give the text."""
    if language == "zh":
        return chinese_pieces(text)
    return re.findall(r"\w+(?:[-'’]\w+)*\s*|[^\w\s]+\s*", text)


def difference(first: Sequence[str], second: Sequence[str]) -> tuple[list[Piece], list[Piece]]:
    """Both texts in pieces, each with whether the other text lacks it."""

    def key(words: Sequence[str]) -> list[str]:
        return [normalise(word).lower() for word in words]

    matcher = difflib.SequenceMatcher(None, key(first), key(second), autojunk=False)
    sides: tuple[list[Piece], list[Piece]] = ([], [])
    for tag, *spans in matcher.get_opcodes():
        for side, words, (start, end) in zip(
            sides, (first, second), (spans[:2], spans[2:]), strict=True
        ):
            text = "".join(words[start:end])
            mark = text.rstrip()
            side += [(mark, tag != "equal")] if mark else []
            side += [(text[len(mark) :], False)] if len(mark) < len(text) else []
    return sides


def _flat(values: Mapping[str, Any], prefix: str = "") -> Any:
    """Nested mappings as dotted names and printable values."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)
