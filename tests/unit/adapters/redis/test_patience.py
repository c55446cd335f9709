"""Patience that is counted in slices: neither cut short nor without an end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.adapters.redis.patience import SLICES, Patience


def test_what_is_never_answered_is_overdue_after_all_slices() -> None:
    """Begun just before the end of a slice, it has all the others; begun just after, one more."""
    patience = Patience()
    found = [patience.overdue(begun=3, done=0) for _ in range(SLICES + 1)]
    assert found == [0] * SLICES + [3]


def test_only_the_oldest_are_overdue() -> None:
    """Those that began later still have time."""
    patience = Patience()
    for begun in range(1, SLICES + 1):
        assert patience.overdue(begun, 0) == 0
    assert patience.overdue(SLICES + 1, 0) == 1


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=60))
def test_each_has_as_long_as_the_others(steps: list[tuple[int, int]]) -> None:
    """Whatever begins and ends: overdue is what began SLICES ends ago and is not done."""
    patience = Patience()
    history: list[int] = []
    begun = done = 0
    for beginning, ending in steps:
        begun += beginning
        done = min(begun, done + ending)
        long_ago = history[-SLICES] if len(history) >= SLICES else 0
        assert patience.overdue(begun, done) == max(0, long_ago - done)
        history.append(begun)
