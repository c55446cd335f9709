from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.simulator.paygo_window import call_window, token_window


def test_the_counter_starts_anew_a_minute_after_it_began() -> None:
    """Tokens used come back all at once, at the reset."""
    window = token_window(1000)
    assert window.left(100.0) == 1000
    window.used += 1000

    assert window.left(159.9) == 0
    assert window.reset_in(159.9) == pytest.approx(0.1)
    assert window.left(160.0) == 1000


@pytest.mark.parametrize(
    ("rpm", "admitted", "seconds"), [(600, 100, 10.0), (6, 1, 10.0), (5, 5, 60.0), (1, 1, 60.0)]
)
def test_calls_are_counted_over_ten_seconds(rpm: int, admitted: int, seconds: float) -> None:
    """A burst meets a sixth of the limit; limits below one call in 10 s count by the minute."""
    window = call_window(rpm)

    assert window.left(0.0) == admitted
    assert window.reset_in(0.0) == seconds


@given(uses=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 500)), max_size=100))
def test_the_reset_is_never_further_than_the_window(uses: list[tuple[int, int]]) -> None:
    """Whatever was used, nobody waits longer than a minute, and what is left is never negative."""
    window = token_window(1000)
    now = 0.0
    for pause, used in uses:
        now += pause
        assert 0 <= window.left(now) <= 1000
        assert 0 < window.reset_in(now) <= 60.0
        window.used += used
