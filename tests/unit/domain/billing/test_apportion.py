"""Largest remainders."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.billing.apportion import apportioned

WEIGHTS = st.lists(st.integers(0, 10**15), min_size=1, max_size=12)


def test_what_three_share_equally() -> None:
    """A cent that cannot be divided goes to the first of equals, to the last where it has most."""
    assert apportioned(100, [1, 1, 1]) == [34, 33, 33]
    assert apportioned(10, [1, 1, Fraction(11, 10)]) == [3, 3, 4]


def test_that_nothing_is_shared_out_among_nobody() -> None:
    """And something cannot be."""
    assert apportioned(0, []) == []
    assert apportioned(0, [0, 0]) == [0, 0]
    with pytest.raises(ValueError, match="nobody"):
        apportioned(1, [0])


@given(total=st.integers(0, 10**18), weights=WEIGHTS.filter(any))
def test_that_parts_are_their_shares_and_add_up(total: int, weights: list[int]) -> None:
    """Each within one of its exact share, and none for no weight."""
    parts = apportioned(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(total * weight, sum(weights))) < 1
        assert weight or not part
