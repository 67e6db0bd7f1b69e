"""Rows of a split, chosen without reading the others."""

from __future__ import annotations

import datasets
import numpy as np
import pytest

from hazardscribe.training.rows import Rows


def rows(numbers: list[int]) -> Rows:
    texts = [f"text {i}" for i in range(12)]
    dataset = datasets.Dataset.from_dict({"photo": [f"{i}.png" for i in range(12)]})
    return Rows(dataset, np.array(numbers), texts)


def test_a_column_of_the_users_is_left_as_it_is():
    """A recipe's target may name any column, one of that name included."""
    dataset = datasets.Dataset.from_dict({"photo": ["0.png"], "target": ["roof"]})
    of_user = Rows(dataset, np.array([0]), ["roof: no hard hat"])
    assert of_user[0]["target"] == "roof"
    assert [row["target"] for row in of_user] == ["roof"]
    assert of_user.texts() == ["roof: no hard hat"]


@pytest.mark.parametrize(
    ("most", "chosen"),
    [(1, [0]), (2, [0, 11]), (4, [0, 4, 7, 11]), (12, range(12)), (99, range(12))],
)
def test_a_few_are_spread_over_all(most, chosen):
    spread = rows(list(range(12))).spread(most)
    assert list(spread.photos()) == [f"{i}.png" for i in chosen]
    assert spread.texts() == [f"text {i}" for i in chosen]


def test_chosen_rows_come_in_their_own_order_however_they_are_asked_for():
    numbers = np.random.default_rng(0).permutation(2500)[:2100]
    dataset = datasets.Dataset.from_dict({"photo": [f"{i}.png" for i in range(2500)]})
    chosen = Rows(dataset, numbers, [f"text {i}" for i in range(2500)])
    photos, texts = ([form.format(i) for i in numbers] for form in ("{}.png", "text {}"))
    assert [row["photo"] for row in chosen] == photos  # read in blocks
    assert (len(chosen), chosen[7]["photo"], chosen.photos()[7]) == (2100, photos[7], photos[7])
    assert [row["photo"] for row in chosen[3:9:2]] == list(chosen.photos()[3:9:2]) == photos[3:9:2]
    assert chosen[3:9].texts() == texts[3:9]
    assert len(chosen.photos()[-5:]) == 5
