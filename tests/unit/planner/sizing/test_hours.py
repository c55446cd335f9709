"""Utilisation and spilling by hour of the week."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.capacity.provisioned import PtuCapacity
from app.planner.sizing.hours import HOURS_OF_A_WEEK, by_hour
from app.planner.sizing.replay import Replayed, weighed
from app.planner.sizing.traffic import Recorded

MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
PLAIN = PtuCapacity(1.0, 1.0)


def at(weeks: int, hours: float) -> float:
    return (MONDAY + timedelta(weeks=weeks, hours=hours)).timestamp()


def test_that_weeks_begin_on_monday_and_share_their_hours() -> None:
    """Two Mondays at nine: 1,800 of 7,200 tokens; one of three requests there spilled."""
    moments = (at(0, 9.1), at(0, 9.2), at(1, 9.5), at(1, 9.999))
    traffic = weighed((Recorded(moment, 1.0, 900, 0, 0, 0) for moment in moments), PLAIN)
    found = by_hour(Replayed(1, 1.0, bytearray([1, 0, 1, 0])), traffic)
    assert found.utilization[9] == pytest.approx(1800 / 7200)
    assert found.spilled[9] == 0.5
    assert found.utilization[10] == 0.0  # once in the period, idle
    assert found.spilled[10] is None  # and nobody asked


def test_that_hours_outside_the_period_are_unknown() -> None:
    """Sunday's last alone; nothing is served by no PTUs."""
    traffic = weighed([Recorded(at(0, 167.5), 1.0, 900, 0, 0, 0)], PLAIN)
    found = by_hour(Replayed(1, 1.0, bytearray([1])), traffic)
    assert [hour for hour in range(HOURS_OF_A_WEEK) if found.utilization[hour] is not None] == [167]
    assert set(by_hour(Replayed(0, 0.0, bytearray(1)), traffic).utilization) == {None}
