"""What spills as time goes on."""

from __future__ import annotations

import pytest

from app.domain.capacity.provisioned import PtuCapacity
from app.planner.sizing.replay import Replayed, weighed
from app.planner.sizing.timeline import timeline
from app.planner.sizing.traffic import Recorded

CAPACITY = PtuCapacity(1.0, 1.0)
HOUR = 3600.0


def test_each_hour_has_its_share() -> None:
    """In whole hours; one without requests has none."""
    traffic = weighed([Recorded(at * HOUR, 1, 1, 0, 1) for at in (5.1, 5.2, 7.5)], CAPACITY)
    found = timeline(Replayed(1, 1.0, bytearray((1, 0, 0))), traffic)
    assert (found.since, found.step_s) == (5 * HOUR, 3600)
    assert found.spilled == (0.5, None, 1.0)


@pytest.mark.parametrize(
    ("days", "step_s"), [(16, 3600), (60, 21_600), (300, 86_400), (900, 604_800)]
)
def test_that_a_long_time_has_longer_steps(days: int, step_s: int) -> None:
    """A plot has so many points, and no more are made."""
    traffic = weighed([Recorded(0, 1, 1, 0, 1), Recorded(days * 86_400, 1, 1, 0, 1)], CAPACITY)
    found = timeline(Replayed(1, 1.0, bytearray(2)), traffic)
    assert found.step_s == step_s
    assert len(found.spilled) <= 402
    assert (found.spilled[0], found.spilled[-1]) == (1.0, 1.0)
