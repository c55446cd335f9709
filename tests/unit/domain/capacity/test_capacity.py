"""What an answer's headers can say of capacity."""

from __future__ import annotations

from app.domain.capacity.capacity import CapacityTold, WindowTold


def test_an_answer_may_say_nothing() -> None:
    """Which is not the same as an empty deployment, or a used-up counter."""
    assert CapacityTold().utilization is None
    assert CapacityTold().windows == {}
    assert WindowTold() == WindowTold(limit=None, remaining=None, reset_s=None)
