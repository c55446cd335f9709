from __future__ import annotations

from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.simulator.pace import Pace


def test_times_scatter_around_their_medians() -> None:
    """What a deployment is given are medians of a distribution, not constants."""
    pace = Pace(0.12, 0.012, Random(7))

    firsts = [pace.first() for _ in range(2000)]
    gaps = [pace.gap() for _ in range(2000)]

    assert median(firsts) == pytest.approx(0.12, rel=0.05)
    assert median(gaps) == pytest.approx(0.012, rel=0.05)
    assert min(firsts) < 0.1
    assert max(firsts) > 0.15


@given(tokens=st.integers(0, 100_000))
def test_zero_is_no_time_at_all(tokens: int) -> None:
    """Tests that want no waiting get none, however long the answer."""
    pace = Pace(0, 0, Random(7))
    assert pace.first() == pace.gap() == pace.gaps(tokens) == 0


def test_long_answers_take_proportionally_long() -> None:
    """Gaps of a long answer are extrapolated from a thousand that are drawn."""
    pace = Pace(0, 0.01, Random(7))
    assert pace.gaps(50_000) == pytest.approx(50 * pace.gaps(1000), rel=0.1)
