"""Is one model better than another on the same photos? Differences of scores, with intervals.

The paired bootstrap (Efron and Tibshirani 1993, chapter 13; Koehn, "Statistical significance tests
for machine translation evaluation", EMNLP 2004): both systems are scored on the same resampled
photos, and the interval is that of the difference, which leaves out what makes photos hard for
both. Where each system was trained with several seeds, a resample also draws seeds with
replacement and takes the mean over them: the interval then holds for another training run too, not
only for other photos. Of S seeds it draws S - 1: the mean of S drawn with replacement varies less
than that of S new runs, by the factor (S - 1) / S in variance, which is a third for three; that of
S - 1 varies as much (Rao and Wu, "Resampling inference with complex survey data", JASA 1988).
CIDEr-D's document frequencies stay those of all references.

    truth = Truth.of(cases, Rules.load("zh"), "zh")
    differences = paired_differences(truth, ours=[texts_a], theirs=[texts_b])
    differences["cider_d"].low > 0
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hazardscribe.errors import InputError
from hazardscribe.evaluation.bootstrap import interval, resampled_columns
from hazardscribe.evaluation.photo_scores import Truth, photo_columns
from hazardscribe.evaluation.result import Score
from hazardscribe.evaluation.scores import defined_formulas

Systems = Sequence[Sequence[str]]
"""Predictions by seed, then by photo in the order of the truth."""


def paired_differences(
    truth: Truth, ours: Systems, theirs: Systems, *, resamples: int = 2000, seed: int = 0
) -> dict[str, Score]:
    """Our mean score minus theirs, for every score that both define.

    Args:
        truth: of the N photos.
        ours: predictions of each seed for the N photos. theirs: of the other system; the numbers
            of seeds may differ.
        resamples: of the bootstrap. seed: of its draws.

    Returns:
        Score name -> difference with its 95 % interval.

    Raises:
        InputError: if a system has no seeds, or not one prediction a photo.
    """
    photos = len(truth.hazard)
    for system in (ours, theirs):
        if not system or any(len(predictions) != photos for predictions in system):
            lengths = [len(predictions) for predictions in system]
            raise InputError(f"{photos} photos but predictions for {lengths}: give one for each")
    values, resampled = zip(
        *(_scored(truth, system, resamples, seed) for system in (ours, theirs)), strict=True
    )
    draws = [_draws(system, resamples, seed) for system in (ours, theirs)]
    return {
        name: _score(
            values[0][name] - values[1][name],
            _means(resampled[0][name], draws[0]) - _means(resampled[1][name], draws[1]),
        )
        for name in values[0]
        if name in values[1]
    }


def mean_scores(
    truth: Truth, system: Systems, *, resamples: int = 2000, seed: int = 0
) -> dict[str, Score]:
    """Mean scores over seeds, with intervals over photos and seeds, as in `paired_differences`."""
    values, resampled = _scored(truth, system, resamples, seed)
    draws = _draws(system, resamples, seed)
    return {name: _score(values[name], _means(resampled[name], draws)) for name in values}


def _scored(
    truth: Truth, system: Systems, resamples: int, seed: int
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Mean over seeds of each score, and its resampled values by seed `(S, R)`."""
    columns = [photo_columns(predictions, truth, None, seed) for predictions in system]
    formulas, _ = defined_formulas(truth, columns[0], embedded=False)
    whole = [{name: table.sum(0, keepdims=True) for name, table in c.items()} for c in columns]
    drawn = [resampled_columns(table, resamples, seed) for table in columns]
    values = {
        name: float(np.mean([formula(sums)[0] for sums in whole]))
        for name, formula in formulas.items()
    }
    return values, {
        name: np.stack([formula(sums) for sums in drawn]) for name, formula in formulas.items()
    }


def _means(scores: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Scores `(S, R)` and drawn seeds `(R, D)` to the mean of each resample `(R,)`."""
    return np.asarray(scores[draws.T, np.arange(scores.shape[1])].mean(axis=0))


def _draws(system: Systems, resamples: int, seed: int) -> np.ndarray:
    """Seeds drawn with replacement, `(R, max(1, S - 1))`; systems of as many seeds share them."""
    drawn = max(1, len(system) - 1)
    return np.random.default_rng(seed).integers(len(system), size=(resamples, drawn))


def _score(value: float, resampled: np.ndarray) -> Score:
    return (
        Score(value, *(interval(resampled) or (None, None))) if np.isfinite(value) else Score(None)
    )
