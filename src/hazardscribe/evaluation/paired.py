"""Is one model better than another on the same photos? The paired bootstrap.

Two models' scores on one split share its easy and its hard photos, so that their intervals overlap
even where one model is better on nearly all of them. Here photos are drawn with replacement and
both models are scored on each draw (Koehn, "Statistical significance tests for machine translation
evaluation", 2004); the interval is that of the *difference*. It says how far other photos of the
same kind would move it. Where models were trained several times, each draw takes the mean over the
pairs of runs, so that no lucky run decides; the runs themselves are not resampled.

CIDEr-D takes its document frequencies from all references of the split, in resamples too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hazardscribe.errors import InputError
from hazardscribe.evaluation.bootstrap import interval, resampled_sums
from hazardscribe.evaluation.cases import Case, check_cases
from hazardscribe.evaluation.photo_scores import (
    HAZARD_FORMULAS,
    Columns,
    Formula,
    Truth,
    mean_of,
    photo_columns,
    text_formulas,
)
from hazardscribe.evaluation.rules import Rules

_SHUFFLE_SEED = 0  # its score is not compared


@dataclass(frozen=True, slots=True)
class Difference:
    """How much higher the second model scores than the first.

    Attributes:
        first, second: the scores on the photos as they are, means over runs.
        value: `second - first`. low, high: its 95 % interval.
        not_better: share of resamples in which the second is not above the first: a one-sided
            p-value for "it is no better".
    """

    first: float
    second: float
    value: float
    low: float
    high: float
    not_better: float


def paired_differences(
    cases: Sequence[Case],
    first: Sequence[Mapping[str, str]],
    second: Sequence[Mapping[str, str]],
    *,
    language: str,
    rules: Rules | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> dict[str, Difference]:
    """Differences of all scores that are defined for these photos.

    Args:
        cases: photos with references; their own predictions are not read.
        first, second: for each run, predicted text by photo. Run i of one is paired with run i of
            the other.
        language: "zh" or "en". rules: the shipped rules of the language by default.
        resamples, seed: of the bootstrap.

    Raises:
        InputError: no cases or runs, runs of unequal number, or a photo without prediction.
    """
    check_cases(cases)
    if not first or len(first) != len(second):
        raise InputError(
            f"paired comparison: {len(first)} runs of the first model and {len(second)} of the "
            "second; give equally many of both, at least one"
        )
    truth = Truth.of(cases, rules if rules is not None else Rules.load(language), language)
    runs = [
        (_columns(one, cases, truth), _columns(other, cases, truth))
        for one, other in zip(first, second, strict=True)
    ]
    formulas = {**HAZARD_FORMULAS, **text_formulas(""), "distinct_share": mean_of("distinct")}
    found = {}
    for name, formula in formulas.items():
        if name == "cider_d" and "cider" not in runs[0][0]:
            continue
        scores = [[_values(c, formula, resamples, seed) for c in pair] for pair in runs]
        whole = np.mean([[side[0] for side in pair] for pair in scores], axis=0)
        if np.isfinite(whole).all():
            drawn = np.mean([pair[1][1] - pair[0][1] for pair in scores], axis=0)
            found[name] = _difference(whole, drawn)
    return found


def _columns(predictions: Mapping[str, str], cases: Sequence[Case], truth: Truth) -> Columns:
    missing = [case.photo for case in cases if case.photo not in predictions]
    if missing:
        raise InputError(
            f"paired comparison: {len(missing)} photos have no prediction, first {missing[0]}"
        )
    texts = [predictions[case.photo] for case in cases]
    return photo_columns(texts, truth, None, _SHUFFLE_SEED)


def _values(
    columns: Columns, formula: Formula, resamples: int, seed: int
) -> tuple[float, np.ndarray]:
    """The score of the photos as they are, and of each resample; equal seeds draw equal photos."""
    table = np.concatenate(list(columns.values()), axis=1)
    edges = np.cumsum([values.shape[1] for values in columns.values()])[:-1]

    def score(sums: np.ndarray) -> np.ndarray:
        return formula(dict(zip(columns, np.split(sums, edges, axis=1), strict=True)))

    whole = score(table.sum(axis=0, keepdims=True))
    return float(whole[0]), score(resampled_sums(table, resamples, seed))


def _difference(whole: np.ndarray, drawn: np.ndarray) -> Difference:
    value = float(whole[1] - whole[0])
    low, high = interval(drawn) or (float("nan"), float("nan"))
    defined = drawn[np.isfinite(drawn)]
    return Difference(
        first=float(whole[0]),
        second=float(whole[1]),
        value=value,
        low=low,
        high=high,
        not_better=float(np.mean(defined <= 0)) if len(defined) else float("nan"),
    )
