"""Candidates are put in order by both likelihoods, and only where that gains on dev."""

from __future__ import annotations

import numpy as np
import pytest

from hazardscribe.describing.generate import Candidate
from hazardscribe.describing.rerank import LENGTH_POWERS, WEIGHTS, Reranking, fit_reranking
from hazardscribe.evaluation import Case, Rules
from hazardscribe.evaluation.photo_scores import Truth

HAT, VEST = "一名工人未佩戴安全帽", "一名工人未穿反光背心"


def test_the_score_is_its_formula():
    candidates = [
        Candidate("a", -2.0, 4),
        Candidate("b", -3.0, 9),
        Candidate("c", -9, 9),
    ]
    fits = [1.0, 0.5, 3.0]
    for power, weight in [(1.0, 0.0), (0.5, 0.1), (0.5, 2.0), (0.0, 0.3)]:
        scores = [
            c.log_likelihood / c.tokens**power + weight * f
            for c, f in zip(candidates, fits, strict=True)
        ]
        order = Reranking(3, power, weight).order(candidates, fits)
        assert order == list(np.argsort(-np.array(scores), kind="stable"))
    assert Reranking(3, 1.0, 1.0).order(candidates, None) == [0, 1, 2]


def dev(n, informed, seed=0):
    """Photos that show the one or the other; the language model always prefers the hat."""
    rng = np.random.default_rng(seed)
    shown = [HAT if i % 2 else VEST for i in range(n)]
    cases = [Case(f"{i}.jpg", [text], HAT, True) for i, text in enumerate(shown)]
    candidates = [[Candidate(HAT, -2.0, 10), Candidate(VEST, -3.0, 10)]] * n
    fits = [
        [4.0 * (text == HAT), 4.0 * (text == VEST)] if informed else rng.normal(size=2).tolist()
        for text in shown
    ]
    return Truth.of(cases, Rules.load("zh"), "zh"), [HAT] * n, candidates, fits


def test_an_alignment_that_knows_is_given_weight():
    way = fit_reranking(*dev(40, informed=True), best_by="element_f1")
    assert way is not None
    assert way.weight > 0
    assert way.reranked == 1 > way.plain == pytest.approx(0.5)


def test_a_score_that_dev_does_not_define_gives_way_to_rouge():
    """All photos show a hazard: to say `hazard` always would be best by hazard F1."""
    way = fit_reranking(*dev(40, informed=True), best_by="hazard_f1")
    assert way is not None
    assert way.reranked > way.plain


@pytest.mark.parametrize("seed", [0, 1, 7, 10])
def test_an_alignment_that_guesses_leaves_the_search_greedy(seed):
    truth, plain, candidates, fits = dev(40, informed=False, seed=seed)
    # Some weight is better on these very photos by chance; on held-out ones none is.
    shown = [text for (text,) in truth.references]
    right = [
        [
            own[Reranking(4, power, weight).order(own, fit)[0]].text == text
            for own, fit, text in zip(candidates, fits, shown, strict=True)
        ]
        for power in LENGTH_POWERS
        for weight in WEIGHTS
    ]
    assert max(map(sum, right)) > 20
    assert fit_reranking(truth, plain, candidates, fits, best_by="element_f1") is None


def test_an_alignment_that_tells_nothing_leaves_the_search_greedy():
    truth, plain, candidates, _ = dev(40, informed=True)
    fits = [[0.0, 0.0]] * 40
    assert fit_reranking(truth, plain, candidates, fits, best_by="element_f1") is None


def test_too_few_photos_to_choose_by():
    assert fit_reranking(*dev(3, informed=True), best_by="cider_d") is None
