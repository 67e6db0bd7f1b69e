"""The confidence is a probability, fitted by what it says it is fitted by."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from hazardscribe.describing.confidence import (
    Confidence,
    fit_confidence,
    log_distance,
    log_odds,
)


def made_up(n=120, seed=0):
    rng = np.random.default_rng(seed)
    support, wording = rng.normal(size=n), rng.normal(size=n)
    right = (rng.random(n) < 1 / (1 + np.exp(-(0.5 + 2 * support)))).astype(int)
    rows = [{"wording": w, "support": s} for w, s in zip(wording, support, strict=True)]
    return rows, right


def test_the_regression_minimises_its_formula_in_float64():
    rows, right = made_up()
    fitted, _ = fit_confidence(rows, right)
    table = np.array([[row[name] for name in fitted.signs] for row in rows])
    table = (table - table.mean(0)) / table.std(0)
    sign = 2 * right - 1

    def penalised(values):  # C = 1: half the squared weights beside the summed log loss
        return np.logaddexp(0, -sign * (table @ values[:-1] + values[-1])).sum() + (
            values[:-1] @ values[:-1] / 2
        )

    expected = minimize(penalised, np.zeros(3), tol=1e-12).x
    assert fitted.signs == ("wording", "support")
    np.testing.assert_allclose([*fitted.weights, fitted.intercept], expected, atol=1e-3)
    p = fitted(rows[0])
    assert p == pytest.approx(
        1 / (1 + np.exp(-(table[0] @ expected[:-1] + expected[-1]))), abs=1e-3
    )


def test_predictions_for_dev_have_not_seen_their_photo():
    rows, right = made_up()
    noise = [{"wording": float(v)} for v in np.random.default_rng(1).normal(size=len(right))]
    _, seen = fit_confidence(rows, right)
    _, blind = fit_confidence(noise, right)
    assert np.mean((seen - right) ** 2) < np.mean((blind - right) ** 2)
    # Signs that tell nothing give nothing more than the share itself.
    assert abs(np.corrcoef(blind, right)[0, 1]) < 0.3
    assert np.array_equal(seen, fit_confidence(rows, right)[1])
    # Whatever a photo's own outcome is, its prediction stays as it is; that of others does not.
    for i in range(0, len(right), 17):
        other = right.copy()
        other[i] = 1 - other[i]
        changed = fit_confidence(rows, other)[1]
        assert changed[i] == seen[i]
        assert not np.array_equal(changed, seen)


def test_a_sign_that_never_varies_tells_nothing():
    rows, right = made_up()
    _, varied = fit_confidence([{"wording": row["wording"]} for row in rows], right)
    _, constant = fit_confidence([{**row, "support": 0.7} for row in rows], right)
    np.testing.assert_allclose(constant, varied, atol=1e-6)


@pytest.mark.parametrize("outcome", [0, 1])
def test_dev_where_all_are_alike_gives_no_certainty(outcome):
    rows, _ = made_up(8)
    fitted, predictions = fit_confidence(rows, np.full(8, outcome))
    assert fitted(rows[0]) == pytest.approx((8 * outcome + 1) / 10)
    assert np.all((predictions > 0) & (predictions < 1))


def test_a_sign_that_some_photo_lacks_is_left_out():
    rows, right = made_up()
    del rows[3]["support"]
    assert fit_confidence(rows, right)[0].signs == ("wording",)


def test_far_signs_stay_within_a_probability():
    certain = Confidence(("wording",), (0.0,), (1.0,), (1e6,), 0.0)
    assert (certain({"wording": -1e6}), certain({"wording": 1e6})) == (pytest.approx(0), 1)
    assert np.isfinite([log_odds(0.0), log_odds(1.0)]).all()
    assert log_odds(0.5) == 0
    # A stored regression was fitted to signs with these very bounds.
    assert log_odds(1.0) == pytest.approx(np.log(1.001 / 0.001)) == -log_odds(0.0)
    assert [log_distance(far) for far in (0.0, 1e-4, 0.3)] == [
        np.log(1e-4),
        np.log(1e-4),
        np.log(0.3),
    ]
    assert log_odds(0.9) == pytest.approx(np.log(9), rel=0.01) == -log_odds(0.1)
