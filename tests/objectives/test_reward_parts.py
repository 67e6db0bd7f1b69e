"""Every part of the reward against its formula in plain Python and float64."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazardscribe.objectives.reward import (
    element_f1,
    length_excess,
    repeated_share,
    repetition_excess,
)


@pytest.mark.parametrize(
    ("said", "true", "expected"),
    [
        ((), (), 1.0),
        (("a",), (), 0.0),
        ((), ("a",), 0.0),
        (("a",), ("a",), 1.0),
        (("a", "b"), ("a",), 2 / 3),
        (("a", "b", "c"), ("b", "c", "d"), 4 / 6),
    ],
)
def test_element_f1_of_one_description(said, true, expected):
    assert element_f1(set(said), set(true)) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("length", "expected"),
    [(10, 0.0), (20, 0.0), (30, 0.0), (45, 0.5), (60, 1.0), (300, 1.0), (5, 0.5), (0, 1.0)],
)
def test_length_costs_only_outside_what_people_write(length, expected):
    assert length_excess(length, 10, 30) == pytest.approx(expected)


@given(st.lists(st.sampled_from("abc"), max_size=12), st.integers(1, 4))
def test_repeated_share_counts_ngrams_seen_before(tokens, order):
    seen, repeats, total = set(), 0, 0
    for start in range(len(tokens) - order + 1):
        ngram = "".join(tokens[start : start + order])
        repeats, total = repeats + (ngram in seen), total + 1
        seen.add(ngram)
    assert repeated_share(tokens, order) == pytest.approx(repeats / total if total else 0.0)


def test_repetition_costs_only_beyond_what_the_photo_was_written():
    twice = list("安全帽缺失安全帽缺失")
    assert repeated_share(twice) == pytest.approx(3 / 8)
    assert repetition_excess(twice, [list("安全帽缺失")]) == pytest.approx(3 / 8)
    assert repetition_excess(twice, [list("短"), twice]) == 0.0
    assert repetition_excess(list("安全帽"), [twice]) == 0.0
    assert repetition_excess(twice, []) == pytest.approx(3 / 8)
