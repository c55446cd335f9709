from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from loadtest.bench.quantiles import Spread, quantile


def test_a_quantile_is_a_value_that_was_measured() -> None:
    """Not one between two: of 100 values the 99th is p99."""
    values = [float(value) for value in range(100, 0, -1)]
    assert (quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1)) == (50, 99, 100)
    assert quantile([3.0], 0.99) == 3.0
    assert math.isnan(quantile([], 0.5))


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_so_large_a_part_does_not_exceed_it(values: list[float], part: float) -> None:
    """And it is the smallest such value."""
    found = quantile(values, part)
    assert sum(value <= found for value in values) >= part * len(values) - 1e-9
    assert sum(value < found for value in values) < part * len(values) + 1e-9


def test_a_spread_is_the_median_and_what_it_lies_between() -> None:
    """Of an even number of rounds it is between the middle two."""
    assert Spread.of([4.0, 1.0, 2.0, 9.0]) == Spread(3.0, 1.0, 9.0)
