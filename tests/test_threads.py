"""Work in threads keeps its order, and few items are drawn ahead."""

from __future__ import annotations

import time

import pytest

from hazardscribe.threads import mapped


def test_results_come_in_order_and_few_items_are_drawn_ahead():
    drawn: list[int] = []

    def items():
        for number in range(20):
            drawn.append(number)
            yield number

    def slow_first(number: int) -> int:
        time.sleep(0.05 * (number == 0))
        return number * number

    results = []
    for result in mapped(slow_first, items(), threads=4, ahead=3):
        results.append(result)
        assert len(drawn) <= len(results) + 3
    assert results == [number * number for number in range(20)]


def test_an_error_comes_in_its_place():
    results = mapped(lambda number: 6 // number, [3, 2, 0, 1], threads=2, ahead=2)
    assert [next(results), next(results)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)
