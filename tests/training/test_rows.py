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


@pytest.mark.parametrize(
    ("most", "chosen"),
    [(1, [0]), (2, [0, 11]), (4, [0, 4, 7, 11]), (12, range(12)), (99, range(12))],
)
def test_a_few_are_spread_over_all(most, chosen):
    spread = rows(list(range(12))).spread(most)
    assert list(spread.photos()) == [f"{i}.png" for i in chosen]
    assert spread.texts() == [f"text {i}" for i in chosen]
