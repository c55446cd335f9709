"""Pauses between starts grow, end, and are not the same for all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.adapters.workers.backoff import Backoff

CHANCE = st.floats(0, 1)


@given(chance=CHANCE, failures=st.integers(1, 10_000))
def test_a_pause_is_between_half_of_its_bound_and_all_of_it(chance: float, failures: int) -> None:
    """However often it failed, and whatever chance says."""
    pause_s = Backoff(lambda: chance, first_s=0.5, most_s=20).pause_s(failures)
    longest = min(20, 0.5 * 2 ** min(failures - 1, 10))
    assert longest / 2 <= pause_s <= longest


def test_each_failure_in_a_row_doubles_the_pause() -> None:
    """Until it is the longest."""
    backoff = Backoff(lambda: 1.0, first_s=1, most_s=5)
    assert [backoff.pause_s(failures) for failures in range(1, 6)] == [1, 2, 4, 5, 5]
