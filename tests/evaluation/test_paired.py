"""Differences between two systems on the same photos."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from evaluation_texts import groups, sentences

from hazardscribe.errors import InputError
from hazardscribe.evaluation import Case, Rules, evaluate_texts
from hazardscribe.evaluation.paired import _draws, _means, mean_scores, paired_differences
from hazardscribe.evaluation.photo_scores import Truth

PHOTOS = 60


@pytest.fixture(scope="module")
def truth() -> Truth:
    cases = [
        Case(f"{i}.jpg", references, "", i % 3 == 0)
        for i, references in enumerate(groups("zh", PHOTOS, 2, seed=1))
    ]
    return Truth.of(cases, Rules.load("zh"), "zh")


@pytest.fixture(scope="module")
def perfect(truth) -> list[str]:
    return [references[0] for references in truth.references]


@pytest.fixture(scope="module")
def guessing() -> list[str]:
    return sentences("zh", PHOTOS, seed=2)


def test_values_are_those_of_the_evaluation(truth, guessing, perfect):
    cases = [
        Case(f"{i}.jpg", references, text, bool(truth.hazard[i]))
        for i, (references, text) in enumerate(zip(truth.references, guessing, strict=True))
    ]

    def scores(texts: list[str]) -> dict:
        told = [replace(case, prediction=text) for case, text in zip(cases, texts, strict=True)]
        return evaluate_texts(
            told,
            train_texts=[],
            train_hazards=None,
            nearest=None,
            language="zh",
            embed=None,
            resamples=200,
        ).metrics

    ours, theirs = scores(perfect), scores(guessing)
    differences = paired_differences(truth, [perfect], [guessing], resamples=200)
    alone = mean_scores(truth, [guessing], resamples=200)
    for name in ("cider_d", "bleu_4", "hazard_f1", "balanced_accuracy", "element_f1"):
        expected = float(ours[name]) - float(theirs[name])
        assert float(differences[name]) == pytest.approx(expected), name
        assert alone[name] == theirs[name], name


def test_a_system_does_not_differ_from_itself(truth, guessing):
    for score in paired_differences(truth, [guessing], [guessing]).values():
        assert (score.value, score.low, score.high) == (0, 0, 0)


def test_what_both_find_hard_does_not_widen_the_interval(truth, guessing):
    better = [truth.references[i][0] if i % 10 == 0 else t for i, t in enumerate(guessing)]
    paired = paired_differences(truth, [better], [guessing])["cider_d"]
    alone = mean_scores(truth, [better])["cider_d"]
    assert 0 < paired.low < paired.value < paired.high
    assert paired.high - paired.low < alone.high - alone.low


def test_seeds_that_disagree_widen_the_interval(truth, guessing, perfect):
    alike = paired_differences(truth, [perfect] * 3, [guessing])["cider_d"]
    lucky = paired_differences(truth, [perfect, guessing, guessing], [guessing])["cider_d"]
    assert lucky.value == pytest.approx(alike.value / 3)
    assert alike.low > 0
    assert lucky.low == pytest.approx(0)  # another three runs may all be such as did not help


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_seeds_spread_the_mean_as_much_as_new_runs_would(seeds):
    """The variance of a mean of S runs, estimated without bias from those S: s^2 / S."""
    runs = np.random.default_rng(seeds).normal(size=seeds)
    alike_on_all_photos = np.repeat(runs[:, None], 20_000, axis=1)
    means = _means(alike_on_all_photos, _draws([["text"]] * seeds, 20_000, 0))
    assert means.var() == pytest.approx(runs.var(ddof=1) / seeds, rel=0.03)


def test_the_difference_is_antisymmetric(truth, guessing, perfect):
    one = paired_differences(truth, [perfect], [guessing])
    other = paired_differences(truth, [guessing], [perfect])
    for name in one:
        np.testing.assert_allclose(
            [one[name].low, one[name].value, one[name].high],
            [-other[name].high, -other[name].value, -other[name].low],
        )


def test_a_prediction_for_every_photo(truth, perfect):
    with pytest.raises(InputError, match="60 photos but predictions for \\[59\\]"):
        paired_differences(truth, [perfect], [perfect[1:]])
    with pytest.raises(InputError, match="60 photos"):
        paired_differences(truth, [], [perfect])
