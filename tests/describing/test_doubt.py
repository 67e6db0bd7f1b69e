"""When a draft is held back, and what is said in its place."""

from __future__ import annotations

import numpy as np
import pytest

from hazardscribe.describing.doubt import ANSWERS, Doubt, answer, fit_doubt, least_confidence
from hazardscribe.describing.novelty import Novelty
from hazardscribe.evaluation.rules import Rules
from hazardscribe.pairs.descriptions import is_empty

DOUBT = Doubt(least_confidence=0.6, least_safe=0.8, farthest=0.3, risk=0.1, reached=True)


@pytest.mark.parametrize(
    ("confidence", "no_hazard", "distance", "reason"),
    [
        (0.6, 0.0, 0.3, None),
        (0.59, 0.79, 0.1, "unsure"),
        (0.59, 0.8, 0.1, "likely_safe"),
        (0.99, 0.9, 0.31, "unfamiliar"),  # however sure
        (0.59, None, None, "unsure"),  # a model without alignment
    ],
)
def test_reasons(confidence, no_hazard, distance, reason):
    assert DOUBT.reason(confidence, no_hazard, distance) == reason


def test_the_rules_read_the_answers_as_they_are_meant():
    for language in ANSWERS:
        rules = Rules.load(language)
        safe, unsure = answer("likely_safe", language), answer("unsure", language)
        assert not rules.hazard(safe)
        assert not rules.cannot_judge(safe)
        assert rules.cannot_judge(unsure)
        assert answer("unfamiliar", language) == unsure
    assert answer("unsure", "zh") == "无法判断，请人工核实"


def brute_force(confidences, right, risk, fewest):
    best = None
    for threshold in sorted(set(confidences)):
        answered = confidences >= threshold
        if answered.sum() >= fewest and (1 - right[answered]).mean() <= risk:
            best = threshold if best is None else min(best, threshold)
    return best


@pytest.mark.parametrize("seed", range(5))
def test_the_threshold_is_the_smallest_that_keeps_the_risk(seed):
    rng = np.random.default_rng(seed)
    confidences = rng.random(80).round(2)
    right = (rng.random(80) < confidences).astype(int)
    expected = brute_force(confidences, right, 0.3, 15)
    found, reached = least_confidence(confidences, right, 0.3)
    assert reached
    assert np.array_equal(confidences >= found, confidences >= expected)


def test_a_risk_that_nothing_reaches_leaves_what_is_likelier_right_than_wrong():
    assert least_confidence(np.linspace(0, 1, 40), np.zeros(40, int), 0.1) == (0.5, False)
    assert least_confidence(np.linspace(0, 1, 40), np.ones(40, int), 0.1) == (0.0, True)


@pytest.mark.parametrize(
    ("photos", "right", "reached"),
    [
        (100, 15, True),
        (100, 14, False),
        (20, 10, True),
        (20, 9, False),
        (7, 4, True),
        (7, 3, False),
    ],
)
def test_fifteen_answers_or_half_of_few_photos_tell_a_risk(photos, right, reached):
    confidences = np.linspace(1, 0, photos)
    found = least_confidence(confidences, (np.arange(photos) < right).astype(int), 0.05)
    assert found[1] is reached
    if reached:
        assert (confidences >= found[0]).sum() == right


def test_less_risk_never_answers_more():
    rng = np.random.default_rng(0)
    confidences = rng.random(200)
    right = (rng.random(200) < 0.2 + 0.7 * confidences).astype(int)
    found = [least_confidence(confidences, right, risk) for risk in np.linspace(0.5, 0.001, 60)]
    thresholds = [threshold for threshold, _ in found]
    assert thresholds == sorted(thresholds)
    # Some risks are reached and some are not, and beyond 0.5 it is the surest that are answered.
    assert {reached for _, reached in found} == {True, False}
    assert thresholds[-1] > 0.5


def test_no_hazard_is_said_only_where_dev_bears_it_out():
    rng = np.random.default_rng(0)
    hazard = np.arange(60) % 2
    mass = np.where(hazard, rng.uniform(0, 0.6, 60), rng.uniform(0.5, 1, 60))
    distances = np.linspace(0, 0.2, 60)
    unsure, wrong = np.full(60, 0.1), np.zeros(60, int)
    doubt = fit_doubt(unsure, wrong, mass, hazard, distances, risk=0.1)
    assert 0.5 <= doubt.least_safe <= 0.7
    assert doubt.farthest == pytest.approx(0.98 * 0.2)
    blind = fit_doubt(unsure, wrong, rng.random(60), hazard, distances, risk=0.05)
    assert blind.least_safe is None or blind.least_safe > 0.8


@pytest.mark.parametrize("language", ["zh", "en"])
def test_that_nothing_can_be_judged_is_no_description(language):
    assert is_empty(answer("unsure", language))
    assert not is_empty(answer("likely_safe", language))


@pytest.mark.parametrize("spread", [(0.0, 1.0), (0.6, 1.0)])
def test_no_hazard_is_never_said_where_a_hazard_is_likelier(spread):
    unsure, wrong = np.full(40, 0.1), np.zeros(40, int)
    doubt = fit_doubt(unsure, wrong, np.linspace(*spread, 40), wrong, np.zeros(40))
    assert doubt.least_safe == 0.5  # though dev holds no hazard at all


def test_photos_whose_draft_is_given_say_nothing_of_those_held_back():
    confidences = np.repeat([0.9, 0.1], [200, 30])
    right, mass = (confidences > 0.5).astype(int), np.full(230, 0.9)
    hazard = np.repeat([0, 1, 0], [200, 20, 10])  # two in three of those held back
    doubt = fit_doubt(confidences, right, mass, hazard, np.zeros(230), risk=0.1)
    assert 0.1 < doubt.least_confidence < 0.9
    assert doubt.least_safe is None
    few = slice(0, 210)
    doubt = fit_doubt(confidences[few], right[few], mass[few], 0 * hazard[few], np.zeros(210))
    assert doubt.least_safe is None  # ten are too few to tell


@pytest.mark.parametrize(("photos", "enough"), [(14, False), (15, True)])
def test_so_many_dev_photos_tell_what_is_safe_and_what_is_far(photos, enough):
    unsure, wrong, sure = np.full(photos, 0.1), np.zeros(photos, int), np.full(photos, 0.9)
    doubt = fit_doubt(unsure, wrong, sure, 0 * wrong, np.linspace(0, 0.2, photos))
    assert (doubt.least_safe is not None) is enough
    assert (doubt.farthest is not None) is enough


def test_another_risk_reads_another_threshold_off_dev():
    confidences = np.linspace(0, 1, 400)
    right = (np.arange(400) >= 200).astype(int)
    mass = np.random.default_rng(0).permutation(confidences)
    hazard = (mass < 0.7).astype(int)
    strict = DOUBT.at_risk(0.01, confidences, right, mass, hazard)
    loose = DOUBT.at_risk(0.4, confidences, right, mass, hazard)
    assert strict.least_confidence > loose.least_confidence
    assert strict.least_safe > loose.least_safe
    assert strict.least_safe == pytest.approx(0.7, abs=0.01)
    assert strict.farthest == DOUBT.farthest
    assert (strict.risk, strict.reached, loose.risk, loose.reached) == (0.01, True, 0.4, True)
    beyond = DOUBT.at_risk(0.01, confidences, 0 * right, mass, hazard)
    assert (beyond.least_confidence, beyond.reached) == (0.5, False)
    # "No hazard" is read off the photos that this risk holds back, not off those of the former.
    assert DOUBT.at_risk(0.5, confidences, right, mass, 0 * hazard).least_safe is None
    assert DOUBT.at_risk(0.01, confidences, right, mass, np.ones(400)).least_safe is None


def test_an_older_calibration_says_no_hazard_at_no_less_risk_than_its_own():
    confidences, right = np.linspace(0, 1, 100), np.ones(100, int)
    assert DOUBT.at_risk(0.05, confidences, right, None, None).least_safe is None
    for risk in (0.1, 0.2):
        assert DOUBT.at_risk(risk, confidences, right, None, None).least_safe == DOUBT.least_safe


def test_novelty_is_the_distance_of_the_tenth_neighbour_in_float64():
    rng = np.random.default_rng(0)
    train, asked = rng.normal(size=(40, 6)), rng.normal(size=(5, 6))
    cosine = (asked / np.linalg.norm(asked, axis=1, keepdims=True)) @ (
        train / np.linalg.norm(train, axis=1, keepdims=True)
    ).T
    expected = 1 - np.sort(cosine, axis=1)[:, -10]
    np.testing.assert_allclose(Novelty(train).distances(asked), expected, atol=1e-6)
    # With fewer training photos than neighbours, the farthest of them counts.
    np.testing.assert_allclose(
        Novelty(train[:3]).distances(asked), 1 - cosine[:, :3].min(1), atol=1e-6
    )
    # Features of nought point nowhere.
    assert Novelty(train).distances(np.zeros((1, 6))).tolist() == [1]
    assert Novelty(np.zeros((12, 6))).distances(asked).tolist() == [1] * 5


def test_an_answer_that_judges_nothing_is_no_description_to_learn():
    for answers in ANSWERS.values():
        assert is_empty(answers["cannot_judge"])
        assert not is_empty(answers["no_hazard"])  # of a photo that shows none, it is the truth
