"""How probable it is that a description is acceptable: a logistic regression on a few signs.

`p = sigmoid(b + sum_f w_f (x_f - mean_f) / scale_f)`, with signs x_f

* `wording`: mean log probability of the description's tokens, from the language model;
* `support`, `agreement`: log-odds of what the aligned encoder gives to its statements
  (`describing.statements`);
* `distance`: log of the photo's distance from the training photos (`describing.novelty`): of photos
  unlike those that it learned from, a model is right less often, whatever it makes of them (Jiang
  et al., "To trust or not to trust a classifier", NeurIPS 2018).

Fitted on dev with an L2 penalty (scikit-learn, C = 1): dev may hold a hundred photos, so the signs
are few; `benchmarks/confidence_signs.py` tells what each is worth, and what others were not.
Reliability figures need predictions for photos the regression was not fitted on: they are
cross-validated. Where a model has no alignment, `wording` and `distance` stand alone. The form is
Platt's ("Probabilistic outputs for support vector machines", 1999) with more than one input.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

OF_ALIGNMENT = ("support", "agreement")
SIGNS = ("wording", *OF_ALIGNMENT, "distance")
_FOLDS = 10
_FLOOR = 1e-3  # of a probability before its log-odds are taken
_LEAST_DISTANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Confidence:
    """A fitted regression.

    Attributes:
        signs: names of the signs, in the order of the other fields.
        means, scales: by which signs are standardised. weights, intercept: of the regression.
    """

    signs: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float

    def __call__(self, signs: Mapping[str, float]) -> float:
        """Probability that a description with these signs is acceptable, 0..1."""
        rows = zip(self.signs, self.means, self.scales, self.weights, strict=True)
        total = self.intercept + sum(w * (signs[n] - m) / s for n, m, s, w in rows)
        return 1 / (1 + math.exp(-min(max(total, -500.0), 500.0)))


def log_distance(distance: float) -> float:
    """`log(d)`, kept finite for a photo that the model was trained on ten times over."""
    return math.log(max(distance, _LEAST_DISTANCE))


def log_odds(probability: float) -> float:
    """`log(p / (1 - p))`, kept finite."""
    return math.log((probability + _FLOOR) / (1 - probability + _FLOOR))


def fit_confidence(
    rows: Sequence[Mapping[str, float]], right: np.ndarray, seed: int = 0
) -> tuple[Confidence, np.ndarray]:
    """Fit the regression on dev.

    Args:
        rows: the signs of N photos; signs that any photo lacks are left out.
        right: `(N,)` whether each description is acceptable. seed: of the folds.

    Returns:
        The regression on all photos, and `(N,)` predictions by regressions that had not seen the
        photo.
    """
    names = tuple(name for name in SIGNS if all(name in row for row in rows))
    table = np.array([[row[name] for name in names] for row in rows], dtype=np.float64)
    fitted = _fit(names, table, right)
    predictions = np.empty(len(right))
    folds = np.random.default_rng(seed).permutation(len(right)) % min(_FOLDS, len(right))
    for fold in np.unique(folds):
        held = folds == fold
        partial = _fit(names, table[~held], right[~held])
        predictions[held] = [partial(dict(zip(names, row, strict=True))) for row in table[held]]
    return fitted, predictions


def _fit(names: tuple[str, ...], table: np.ndarray, right: np.ndarray) -> Confidence:
    if len(np.unique(right)) < 2:
        # All alike: Laplace's rule of succession, whatever the signs.
        share = (float(right.sum()) + 1) / (len(right) + 2)
        zeros, ones = (0.0,) * len(names), (1.0,) * len(names)
        return Confidence(names, zeros, ones, zeros, math.log(share / (1 - share)))
    from sklearn.linear_model import LogisticRegression

    means, scales = table.mean(0), table.std(0)
    scales[scales < 1e-9] = 1.0
    model = LogisticRegression(C=1.0).fit((table - means) / scales, right)
    return Confidence(
        names,
        tuple(means.tolist()),
        tuple(scales.tolist()),
        tuple(model.coef_[0].tolist()),
        float(model.intercept_[0]),
    )
