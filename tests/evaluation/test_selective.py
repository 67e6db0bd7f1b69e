"""Figures on confidence against float64 written out by hand or by brute force."""

from __future__ import annotations

import numpy as np
import pytest

from hazardscribe.evaluation import Case, Rules, Score, evaluate_texts
from hazardscribe.evaluation.acceptable import acceptable
from hazardscribe.evaluation.bootstrap import wilson
from hazardscribe.evaluation.selective import (
    Answer,
    area_under_risk,
    brier_score,
    calibration_bins,
    expected_calibration_error,
    risk_coverage,
    trust_in,
    with_interval,
)

CONFIDENCES = np.array([0.9, 0.8, 0.8, 0.3])
RIGHT = np.array([1, 1, 0, 0])


def test_risk_and_coverage_take_equal_confidences_together():
    coverage, risk = risk_coverage(CONFIDENCES, RIGHT)
    assert coverage.tolist() == [0.25, 0.75, 1.0]
    np.testing.assert_allclose(risk, [0, 1 / 3, 1 / 2])
    # The two equal ones in either order: 0 or 1 wrong after two.
    np.testing.assert_allclose(area_under_risk(CONFIDENCES, RIGHT), (0 + 0.25 + 1 / 3 + 0.5) / 4)


def test_the_area_does_not_depend_on_the_order_of_photos():
    rng = np.random.default_rng(0)
    p = rng.random(50).round(1)
    y = (rng.random(50) < p).astype(int)
    areas = {round(area_under_risk(p[o], y[o]), 12) for o in map(rng.permutation, [50] * 5)}
    assert len(areas) == 1


def test_brier_and_calibration_error():
    assert brier_score(CONFIDENCES, RIGHT) == pytest.approx((0.01 + 0.04 + 0.64 + 0.09) / 4)
    p = np.repeat([0.2, 0.7], 40)
    y = np.r_[np.arange(40) < 8, np.arange(40) < 20].astype(int)  # 0.2 and 0.5 are right
    assert expected_calibration_error(p, y, bins=2) == pytest.approx(0.1)
    low, high = calibration_bins(p, y, bins=2)
    assert (low.photos, low.confidence, low.acceptable) == (40, pytest.approx(0.2), 0.2)
    assert high.low < high.acceptable < high.high
    # Wilson's interval of 20 of 40.
    assert (high.low, high.high) == (pytest.approx(0.352, abs=1e-3), pytest.approx(0.648, abs=1e-3))


def test_the_calibration_error_does_not_depend_on_the_order_of_photos():
    rng = np.random.default_rng(0)
    p = np.repeat([0.3, 0.5, 0.9], [70, 50, 80])
    y = (rng.random(200) < p).astype(int)
    orders = [np.arange(200), np.argsort(y, kind="stable"), *map(rng.permutation, [200] * 3)]
    assert len({round(expected_calibration_error(p[o], y[o]), 12) for o in orders}) == 1
    bins = calibration_bins(p, y)
    assert [(b.photos, b.confidence) for b in bins] == [
        (70, pytest.approx(0.3)),
        (50, pytest.approx(0.5)),
        (80, pytest.approx(0.9)),
    ]
    spread = [b.photos for b in calibration_bins(rng.random(203), y[:1].repeat(203))]
    assert len(spread) == 8
    assert max(spread) - min(spread) <= 1
    cases = [Case("a.jpg", ["未发现明显隐患"], "未发现明显隐患", False)] * 40
    error = trust_in(cases, Rules.load("zh"), rng.random(40), None, 50, 0).calibration_error
    assert error.value is not None
    assert error.low is None


@pytest.mark.parametrize(("photos", "bins"), [(1, 1), (29, 1), (30, 2), (119, 7), (500, 8)])
def test_a_bin_holds_fifteen_photos_or_more(photos, bins):
    confidences = np.linspace(0, 1, photos)
    assert len(calibration_bins(confidences, np.ones(photos, int))) == bins


def test_a_bin_is_as_sure_as_its_photos_are_many():
    one, other = calibration_bins(np.repeat([0.2, 0.7], 40), np.tile([0, 1], 40), bins=2)
    assert (one.low, one.high) == (other.low, other.high) == wilson(20, 40)


def test_a_resample_keeps_confidence_and_outcome_together():
    right = np.arange(40) % 2
    assert with_interval(brier_score, right.astype(float), right, 50, 0) == Score(0, 0, 0)
    assert with_interval(brier_score, 0.0 * right, right, 0, 0) == Score(0.5)


@pytest.mark.parametrize(
    ("prediction", "reference", "hazard", "wanted"),
    [
        ("工人未戴安全帽", "一名工人未佩戴安全帽，未穿反光背心", True, True),  # a part is no fault
        ("工人未戴安全帽，未穿反光背心", "一名工人未佩戴安全帽", True, False),  # invented
        ("现场杂乱", "一名工人未佩戴安全帽", True, False),  # the kind is known and not named
        ("现场杂乱", "临边堆放混乱", True, True),  # no kind is known
        ("未发现明显隐患", "未发现明显隐患", False, True),
        ("未发现明显隐患", "一名工人未佩戴安全帽", True, False),
        ("无法判断，请人工核实", "未发现明显隐患", False, False),
        ("", "未发现明显隐患", False, False),
    ],
)
def test_acceptable(prediction, reference, hazard, wanted):
    case = Case("a.jpg", [reference], prediction, hazard)
    assert acceptable([case], Rules.load("zh")).tolist() == [wanted]


def test_an_evaluation_says_what_doubt_changes(cases):
    held = Answer("无法判断，请人工核实", "unsure")
    answers = [held if case.prediction in ("一名工人未戴安全帽", "") else None for case in cases]
    found = evaluate_texts(
        cases,
        train_texts=[],
        train_hazards=None,
        nearest=None,
        language="zh",
        embed=None,
        resamples=50,
        confidences=np.linspace(0.1, 0.9, len(cases)).tolist(),
        answers=answers,
    )
    trust = found.trust
    held_back = sum(answer is not None for answer in answers)
    assert trust.reasons == {"unsure": held_back}
    # Case 6 says itself that it cannot judge.
    assert float(trust.coverage) == pytest.approx((len(cases) - held_back - 1) / len(cases))
    assert float(trust.metrics["hazard_recall"]) < float(found.metrics["hazard_recall"])
    assert found.to_json()["confidence"]["reasons"] == trust.reasons
    assert [case.doubt for case in found.cases] == [a.text if a else None for a in answers]
    assert float(trust.risk) <= trust.risk.high


def test_confidence_is_measured_on_drafts_and_risk_on_answers(cases):
    rules, drafts = Rules.load("zh"), cases[:7]
    right = np.array([1, 0, 1, 1, 1, 0, 0])  # of 6 the draft itself says that it cannot judge
    confidences = np.array([0.9, 0.2, 0.5, 0.7, 0.8, 0.95, 0.1])
    safe, unsure = Answer("未发现明显隐患", "likely_safe"), Answer("无法判断", "unsure")
    # The photo of 2 shows a hazard; 3 is right and held back all the same.
    answers = [None, None, safe, unsure, None, None, None]
    trust = trust_in(drafts, rules, confidences, answers, 50, 0)
    assert trust.brier_score.value == brier_score(confidences, right)
    assert trust.calibration_error.value == expected_calibration_error(confidences, right)
    assert trust.area_under_risk.value == area_under_risk(confidences, right)
    coverage, risk = risk_coverage(confidences, right)
    assert trust.curve == tuple(zip(coverage, risk, strict=True))
    assert trust.risk_of_all == Score(3 / 7, *wilson(3, 7))
    assert trust.coverage == Score(5 / 7, *wilson(5, 7))
    assert trust.risk == Score(3 / 5, *wilson(3, 5))  # 1, 2 and 5
    assert trust.reasons == {"likely_safe": 1, "unsure": 1}
    undoubted = trust_in(drafts, rules, confidences, None, 50, 0)
    assert (undoubted.coverage, undoubted.risk) == (Score(None), Score(None))
    assert undoubted.risk_of_all == trust.risk_of_all
    kept = trust.to_json()["risk_coverage"]
    assert kept == [[round(c, 4), round(r, 4)] for c, r in trust.curve]


def test_a_risk_of_nothing_keeps_an_interval():
    cases = [Case(f"{i}.jpg", ["未发现明显隐患"], "未发现明显隐患", False) for i in range(8)]
    found = trust_in(cases, Rules.load("zh"), np.full(8, 0.9), [None] * 8, 50, 0)
    assert (found.risk.value, found.risk.low) == (0, 0)
    assert found.risk.high == found.risk_of_all.high == pytest.approx(0.3244, abs=1e-4)
    assert (found.coverage.value, found.coverage.high) == (1, 1)
    assert found.coverage.low == pytest.approx(0.6756, abs=1e-4)
