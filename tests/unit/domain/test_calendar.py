"""Days and months in a tenant's time zone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.calendar import CalendarWindow, days_around, months_around

HOUR_MS = 3_600_000
ZONES = ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Pacific/Apia", "Asia/Kathmandu"]


def at(text: str, zone: str = "UTC") -> float:
    """A moment, as Unix time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def hours(window: CalendarWindow) -> float:
    """How long it is."""
    return (window.ends - window.starts) / HOUR_MS


def test_today_is_the_tenants_today() -> None:
    """In Berlin it is the 21st before it is in UTC."""
    moment = at("2026-11-20T23:30")
    assert [day.name for day in days_around(moment)] == ["2026-11-19", "2026-11-20", "2026-11-21"]
    berlin = days_around(moment, ZoneInfo("Europe/Berlin"))
    assert berlin[1] == CalendarWindow(
        "2026-11-21", int(at("2026-11-20T23:00") * 1000), int(at("2026-11-21T23:00") * 1000)
    )


@pytest.mark.parametrize(
    ("moment", "zone", "length"),
    [
        ("2026-03-29T12:00", "Europe/Berlin", 23),
        ("2026-10-25T12:00", "Europe/Berlin", 25),
        ("2018-11-04T12:00", "America/Sao_Paulo", 23),  # clocks skipped midnight
        ("2026-06-01T12:00", "Europe/Berlin", 24),
    ],
)
def test_a_day_is_as_long_as_its_clocks_say(moment: str, zone: str, length: int) -> None:
    """23 and 25 hours where they change."""
    assert hours(days_around(at(moment, zone), ZoneInfo(zone))[1]) == length


def test_months_have_their_lengths() -> None:
    """Over the end of a year, and of a leap year's February."""
    names = [month.name for month in months_around(at("2027-01-31T12:00"))]
    assert names == ["2026-12", "2027-01", "2027-02"]
    assert hours(months_around(at("2028-02-29T12:00"))[1]) == 29 * 24


@given(st.floats(0, 4e9), st.sampled_from(ZONES))
def test_windows_abut_around_every_moment(moment: float, zone: str) -> None:
    """The middle one holds the moment; none overlaps, nothing is left out."""
    for around in (days_around, months_around):
        before, current, after = around(moment, ZoneInfo(zone))
        assert current.starts <= moment * 1000 < current.ends
        assert (before.ends, current.ends) == (current.starts, after.starts)
        assert before.starts < before.ends
        assert after.starts < after.ends


def test_the_zone_is_utc_unless_told() -> None:
    """As everywhere."""
    assert days_around(0.0) == days_around(0.0, UTC)
