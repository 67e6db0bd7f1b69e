"""Bootstrap, baselines and the tests for looking at the photo, each alone."""

from __future__ import annotations

import numpy as np
import pytest

from hazardscribe.errors import InputError
from hazardscribe.evaluation import Rules, collapse_warning, nearest_texts
from hazardscribe.evaluation.baselines import hazard_texts, most_frequent
from hazardscribe.evaluation.bootstrap import interval, resampled_sums, wilson
from hazardscribe.evaluation.sanity import derangement


def test_bootstrap_of_a_mean_agrees_with_theory():
    values = np.random.default_rng(0).normal(size=(400, 1))
    means = resampled_sums(values, 4000, seed=1)[:, 0] / 400
    low, high = interval(means)
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.01)
    assert high == pytest.approx(values.mean() + half, abs=0.01)


def test_resamples_draw_as_many_photos_and_the_same_for_all(monkeypatch):
    table = np.stack([np.ones(7), np.arange(7.0)], axis=1)
    sums = resampled_sums(table, 53, seed=3)
    assert (sums[:, 0] == 7).all()
    np.testing.assert_array_equal(sums[:, 1], resampled_sums(table[:, 1:], 53, seed=3)[:, 0])
    # drawn block by block, ten at a time and three at last, they are the same
    monkeypatch.setattr("hazardscribe.evaluation.bootstrap._BLOCK", 70)
    np.testing.assert_array_equal(sums, resampled_sums(table, 53, seed=3))


def test_undefined_resamples_are_left_out():
    assert interval(np.array([np.nan, 1.0, 1.0])) == (1.0, 1.0)
    assert interval(np.array([np.nan])) is None


@pytest.mark.parametrize(("hits", "n"), [(0, 8), (3, 8), (20, 40), (39, 40), (40, 40)])
def test_wilsons_bounds_lie_as_many_deviations_from_the_share(hits, n):
    low, high = wilson(hits, n)
    assert low <= hits / n <= high
    for bound in {low, high} - {0.0, 1.0}:
        assert abs(hits / n - bound) == pytest.approx(1.959964 * (bound * (1 - bound) / n) ** 0.5)
    assert wilson(0, 0) == (0, 1)


def test_derangement_moves_everything():
    generator = np.random.default_rng(0)
    for count in (2, 3, 10):
        for _ in range(50):
            order = derangement(count, generator)
            assert sorted(order) == list(range(count))
            assert (order != np.arange(count)).all()
    with pytest.raises(ValueError, match="at least two"):
        derangement(1, generator)


def test_most_frequent_is_of_normalised_texts_and_the_first_of_equals():
    assert most_frequent(["b", "a１", "a1 ", ""]) == "a1"
    assert most_frequent(["b", "a"]) == "b"
    assert most_frequent(["", " "]) is None


def test_hazard_texts_trust_the_label_over_the_rule():
    rules = Rules.load("zh")
    texts = ["未戴安全帽", "未发现隐患", "通道堵塞"]
    assert hazard_texts(texts, None, rules) == ["未戴安全帽", "通道堵塞"]
    assert hazard_texts(texts, [False, True, None], rules) == ["未发现隐患", "通道堵塞"]


def test_nearest_is_by_cosine():
    train = np.array([[10.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    photos = np.array([[0.1, 0.0], [0.0, 5.0], [3.0, 2.9], [0.0, 0.0]])
    texts = ["x", "y", "xy", "nothing"]
    assert nearest_texts(train, photos, texts) == ["x", "y", "xy", "x"]
    assert nearest_texts(train, photos, texts, own=[[0], [], [], [0]])[0] != "x"
    assert nearest_texts(train[:1], photos[:1], texts[:1], own=[[0]]) == ["x"]
    many = np.repeat(photos[1:2], 2500, axis=0)
    assert nearest_texts(train, many, texts) == ["y"] * 2500
    own = [[]] * 2000 + [[1]] * 500  # of a later block
    assert nearest_texts(train, many, texts, own=own) == ["y"] * 2000 + ["xy"] * 500
    # The photo itself is passed over for one that is opposite, too.
    assert nearest_texts(train[:2], -train[1:2], texts[:2], own=[[0]]) == ["y"]


@pytest.mark.parametrize(
    ("train", "photos", "texts"),
    [
        (np.ones((2, 3)), np.ones((1, 4)), ["a", "b"]),
        (np.ones(3), np.ones((1, 3)), ["a"]),
        (np.ones((2, 3)), np.ones((1, 3)), ["a"]),
        (np.ones((0, 3)), np.ones((1, 3)), []),
    ],
)
def test_nearest_refuses_shapes_that_do_not_fit(train, photos, texts):
    with pytest.raises(InputError, match="features"):
        nearest_texts(train, photos, texts)


@pytest.mark.parametrize(
    ("texts", "english", "chinese"),
    [
        (["a"] * 9, None, None),
        (["a"] * 10, "10 of 10 photos", "10 张得到相同"),
        ([""] * 9 + [f"text {i}" for i in range(9)], "9 of 18 descriptions are empty", "9 条为空"),
        ([""] * 8 + [f"text {i}" for i in range(10)], None, None),
        ([f"text {i}" for i in range(20)], None, None),
        (["a"] * 8 + [f"text {i}" for i in range(12)], None, None),
        (["a"] * 10 + [f"text {i}" for i in range(10)], "10 of 20 photos", "10 张得到相同"),
        ([""] * 15 + ["a", "b", "c"], "15 of 18 descriptions are empty", "15 条为空"),
        (["a", "b", "c"] * 100, "Only 3 different", "只有 3 种"),
        (["长" * 200] * 12, "…", "…"),
    ],
)
def test_collapse_is_noticed(texts, english, chinese):
    for warning, expected in (
        (collapse_warning(texts), english),
        (collapse_warning(texts, "zh"), chinese),
    ):
        assert (warning is None) if expected is None else (expected in warning)


SAFE, KINDS = ["safe"], [[f"hazard {i}"] for i in range(50)]


@pytest.mark.parametrize(
    ("safe_said", "shuffle_failed", "told"),
    [
        (50, False, None),  # every prediction is what was written
        (50, True, "hardly looks"),
        (55, False, "55 of 100 photos got the same description ('safe')."),
        (74, False, "74 of 100 photos got the same description ('safe')."),
        (75, False, "hardly looks"),  # half of those that were not all written alike
        (80, False, "hardly looks"),
    ],
)
def test_predictions_may_be_as_alike_as_what_was_written(safe_said, shuffle_failed, told):
    references = [SAFE] * 50 + KINDS
    texts = ["safe"] * safe_said + [kind for (kind,) in KINDS[safe_said - 50 :]]
    found = collapse_warning(texts, references=references, shuffle_failed=shuffle_failed)
    assert found is None if told is None else told in found


@pytest.mark.parametrize(
    ("distinct", "written", "shuffle_failed", "told"),
    [
        (6, 300, False, None),  # one in fifty
        (5, 300, False, "Only 5 different descriptions for 300 photos: the model hardly looks"),
        (5, 11, False, "hardly looks"),
        (5, 10, False, "Only 5 different descriptions for 300 photos."),  # half as many as written
        (5, 5, False, None),
        (5, 5, True, "hardly looks"),
    ],
)
def test_descriptions_may_be_as_few_as_the_written_ones(distinct, written, shuffle_failed, told):
    references = [[f"text {i % written}"] for i in range(300)]
    texts = [f"said {i % distinct}" for i in range(300)]
    found = collapse_warning(texts, references=references, shuffle_failed=shuffle_failed)
    assert found is None if told is None else told in found


def test_of_several_written_texts_the_one_that_most_photos_share_counts():
    safe = ("safe", "ｓａｆｅ")
    references = [[safe[i % 2], f"own {i}", f"zzz {i}"] for i in range(20)]
    assert collapse_warning(["safe"] * 20, references=references) is None
    alone = [[f"own {i}"] for i in range(20)]
    half = ["safe"] * 10 + [f"text {i}" for i in range(10)]
    assert "hardly looks" in collapse_warning(half, references=alone)


def test_few_written_texts_excuse_few_descriptions():
    written = ["safe", "no hat", "no vest"] * 100
    assert collapse_warning(written, references=[[text] for text in written]) is None
    many = [[f"text {i}"] for i in range(300)]
    assert "hardly looks" in collapse_warning(written, references=many)
