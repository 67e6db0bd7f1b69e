"""How far a confidence can be trusted, and what it buys to answer only where it is high.

With confidence p_i and y_i = 1 where description i is acceptable:

* Brier score, the mean of (p_i - y_i)^2 (Brier, "Verification of forecasts expressed in terms of
  probability", 1950).
* Expected calibration error, the mean over photos of |mean p - mean y| within bins (Naeini et al.,
  "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015), here over bins of
  about equally many photos: with bins of equal width most would be empty. Equal confidences
  share a bin, else it would depend on their order. It is above 0 by chance alone, the more so the
  fewer photos there are; resamples, which hold fewer different photos, lie higher still, so that
  it has no bootstrap interval.
* Risk and coverage: of the photos answered, those with the highest confidences, the share whose
  description is not acceptable; and the area under that curve (Geifman, Uziel and El-Yaniv,
  "Bias-reduced uncertainty estimation for deep neural classifiers", ICLR 2019). Photos of equal
  confidence enter together.

Intervals are percentile bootstraps over photos, and Wilson's for plain shares (coverage, risk), as
everywhere in this package.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hazardscribe.evaluation.acceptable import acceptable
from hazardscribe.evaluation.bootstrap import interval, wilson
from hazardscribe.evaluation.cases import Case
from hazardscribe.evaluation.result import Bin, Score, Trust
from hazardscribe.evaluation.rules import Rules

BINS = 8
_PER_BIN = 15  # fewer photos than this make a bin that tells nothing


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered in place of a draft, and why."""

    text: str
    reason: str


def trust_in(
    cases: Sequence[Case],
    rules: Rules,
    confidences: np.ndarray,
    answers: Sequence[Answer | None] | None,
    resamples: int,
    seed: int,
) -> Trust:
    """All figures of this module for N photos; the scores of the answers are left empty.

    Args:
        cases: with the drafts as predictions. confidences: `(N,)` in the drafts.
        answers: what is answered in a draft's place, or None for the draft; None: no doubt at all.
    """
    right = acceptable(cases, rules)
    held = [None] * len(cases) if answers is None else list(answers)
    said = [
        case if instead is None else replace(case, prediction=instead.text)
        for case, instead in zip(cases, held, strict=True)
    ]
    answered = np.array([not rules.cannot_judge(case.prediction) for case in said])
    wrong = ~acceptable(said, rules)

    def scored(score: Callable[[np.ndarray, np.ndarray], float], of: np.ndarray) -> Score:
        return with_interval(score, of, right, resamples, seed)

    def share(flags: np.ndarray) -> Score:
        if not len(flags):
            return Score(None)
        bounds = wilson(flags.sum(), len(flags)) if resamples else (None, None)
        return Score(float(flags.mean()), *bounds)

    coverage, risk = risk_coverage(confidences, right)
    doubted = answers is not None
    return Trust(
        brier_score=scored(brier_score, confidences),
        calibration_error=Score(expected_calibration_error(confidences, right)),
        area_under_risk=scored(area_under_risk, confidences),
        risk_of_all=share(~right),
        coverage=share(answered) if doubted else Score(None),
        risk=share(wrong[answered]) if doubted else Score(None),
        bins=tuple(calibration_bins(confidences, right)),
        curve=tuple(zip(coverage.tolist(), risk.tolist(), strict=True)),
        metrics={},
        reasons=dict(Counter(instead.reason for instead in held if instead is not None)),
    )


def brier_score(confidences: np.ndarray, right: np.ndarray) -> float:
    """Mean squared difference of confidence and outcome; both `(N,)`."""
    return float(np.mean((confidences - right) ** 2))


def calibration_bins(confidences: np.ndarray, right: np.ndarray, bins: int = BINS) -> list[Bin]:
    """Bins of about equally many photos, by rising confidence; fewer where there are few photos.

    Photos of equal confidence stay together, in the bin in which the middle one of them lies.
    """
    photos = len(confidences)
    bins = max(1, min(bins, photos // _PER_BIN))
    _, tie, times = np.unique(confidences, return_inverse=True, return_counts=True)
    middle = np.cumsum(times) - times / 2
    place = np.floor(middle * bins / photos).astype(int)[tie]
    found = []
    for group in (np.flatnonzero(place == number) for number in np.unique(place)):
        share, n = float(right[group].mean()), len(group)
        low, high = wilson(right[group].sum(), n)
        found.append(Bin(n, float(confidences[group].mean()), share, low, high))
    return found


def expected_calibration_error(
    confidences: np.ndarray, right: np.ndarray, bins: int = BINS
) -> float:
    """Mean over photos of |mean confidence - share acceptable| of the photo's bin."""
    found = calibration_bins(confidences, right, bins)
    return sum(b.photos * abs(b.confidence - b.acceptable) for b in found) / len(right)


def risk_coverage(confidences: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coverage and risk `(T,)` when answering from each of the T distinct confidences upwards."""
    order = np.argsort(-confidences, kind="stable")
    last = np.append(np.diff(confidences[order]) != 0, True)  # of photos of equal confidence
    answered = np.arange(1, len(order) + 1)[last]
    wrong = np.cumsum(~right[order].astype(bool))[last]
    return answered / len(order), wrong / answered


def area_under_risk(confidences: np.ndarray, right: np.ndarray) -> float:
    """Mean over coverages 1/N ... 1 of the risk; photos of equal confidence in any order."""
    order = np.argsort(-confidences, kind="stable")
    wrong = 1.0 - right[order].astype(float)
    _, group = np.unique(-confidences[order], return_inverse=True)
    expected = (np.bincount(group, wrong) / np.bincount(group))[group]
    return float((np.cumsum(expected) / np.arange(1, len(order) + 1)).mean())


def with_interval(
    score: Callable[[np.ndarray, np.ndarray], float],
    confidences: np.ndarray,
    right: np.ndarray,
    resamples: int,
    seed: int,
) -> Score:
    """A score of confidences and outcomes with its bootstrap interval over photos."""
    value, photos = score(confidences, right), len(right)
    if not resamples:
        return Score(value)
    draws = np.random.default_rng(seed).integers(photos, size=(resamples, photos))
    found = np.array([score(confidences[drawn], right[drawn]) for drawn in draws])
    return Score(value, *(interval(found) or (None, None)))
