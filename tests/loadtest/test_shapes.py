from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.shapes import SHAPES, Load, burst, ramp, rate_of, steady

LOAD = Load(users=50, rate=5, run_s=100)
LOADS = st.builds(Load, st.integers(1, 500), st.just(5.0), st.floats(1, 1000))


@given(st.sampled_from(list(SHAPES)), LOADS, st.floats(0, 0.999))
def test_there_is_always_somebody_and_never_more_than_the_peak(
    name: str, load: Load, part: float
) -> None:
    """Until it is over, and then nobody."""
    users = SHAPES[name](load, part * load.run_s)
    assert users is not None
    assert 1 <= users <= load.users
    assert SHAPES[name](load, load.run_s) is None


def test_steady_stays() -> None:
    """All users from the first moment."""
    assert {steady(LOAD, at) for at in range(100)} == {50}


def test_a_ramp_never_falls_and_arrives_early_enough_to_be_looked_at() -> None:
    """A tenth of the users with each step, all of them for the last quarter."""
    users = [ramp(LOAD, at) or 0 for at in range(100)]
    assert users == sorted(users)
    assert users[0] == 5
    assert set(users[75:]) == {50}
    assert len(set(users)) == 10


def test_bursts_come_four_times_and_at_once() -> None:
    """Between them a fifth is left."""
    users = [burst(LOAD, at) for at in range(100)]
    begun = [now for now in pairwise(users) if now == (10, 50)]
    assert set(users) == {10, 50}
    assert len(begun) == 4
    assert rate_of(burst, LOAD) == 50
    assert rate_of(steady, LOAD) == pytest.approx(5)
