"""Days and months in a time zone, as moments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.quota.calendar import (
    CalendarWindow,
    days_around,
    hour_of,
    hours_of,
    months_around,
)

HOUR = 3_600_000
#: Zones that change clocks at midnight, by half an hour, or far from Greenwich; and one that lost a
#: whole day, Samoa's 30 December 2011.
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "Africa/Cairo",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
    "Pacific/Apia",
]
zones = st.sampled_from(ZONES).map(ZoneInfo)
moments = st.datetimes(datetime(1995, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001  # bounds of naive ones
    datetime.timestamp
)


def at(text: str, zone: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def day_of(text: str, zone: str) -> CalendarWindow:
    """The day at noon of a date."""
    return days_around(at(f"{text}T12:00", zone), ZoneInfo(zone))[1]


@pytest.mark.parametrize(
    ("date", "zone", "hours"),
    [
        ("2026-06-01", "UTC", 24),
        ("2026-03-29", "Europe/Berlin", 23),
        ("2026-10-25", "Europe/Berlin", 25),
        ("2018-11-04", "America/Sao_Paulo", 23),
        ("2018-02-17", "America/Sao_Paulo", 25),
        ("2026-04-24", "Africa/Cairo", 23),
        ("2026-10-04", "Australia/Lord_Howe", 23.5),
        ("2011-12-31", "Pacific/Apia", 24),
    ],
)
def test_a_day_has_its_hours(date: str, zone: str, hours: float) -> None:
    """23 or 25 on a day on which clocks change."""
    day = day_of(date, zone)
    assert day.name == date
    assert day.ends - day.starts == hours * HOUR


@pytest.mark.parametrize(
    ("date", "zone", "first"),
    [
        ("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00"),
        ("2026-04-24", "Africa/Cairo", "2026-04-23T22:00"),
    ],
)
def test_a_day_without_midnight_begins_when_the_one_before_ends(
    date: str, zone: str, first: str
) -> None:
    """Clocks go from 23:59 to 1:00: that moment is the new day's first, and no moment is lost."""
    yesterday, today, _ = days_around(at(f"{date}T12:00", zone), ZoneInfo(zone))
    assert today.starts == at(first, "UTC") * 1000 == yesterday.ends
    assert days_around(today.starts / 1000, ZoneInfo(zone))[1] == today
    assert days_around(today.starts / 1000 - 1, ZoneInfo(zone))[1] == yesterday


@pytest.mark.parametrize(
    ("date", "days"),
    [("2026-02-10", 28), ("2028-02-10", 29), ("2026-04-30", 30), ("2026-12-31", 31)],
)
def test_a_month_has_its_days(date: str, days: int) -> None:
    """A leap year's February too, and December, which ends in another year."""
    month = months_around(at(date, "UTC"))[1]
    assert month.name == date[:7]
    assert month.ends - month.starts == days * 24 * HOUR


def test_a_year_ends_with_its_last_month() -> None:
    """The months around New Year are of two years."""
    assert [month.name for month in months_around(at("2026-12-31T23:59", "UTC"))] == [
        "2026-11",
        "2026-12",
        "2027-01",
    ]


def test_the_zone_is_utc_unless_told() -> None:
    """As everywhere."""
    moment = at("2026-06-01T12:00", "Pacific/Kiritimati")
    assert days_around(moment) == days_around(moment, UTC)
    assert months_around(moment) == months_around(moment, UTC)


@given(moment=moments, zone=zones)
def test_every_moment_is_in_the_middle_window(moment: float, zone: ZoneInfo) -> None:
    """Of the day and of the month, which bear the date's name there."""
    wall = datetime.fromtimestamp(moment, zone)
    day, month = days_around(moment, zone)[1], months_around(moment, zone)[1]
    assert day.starts <= moment * 1000 < day.ends
    assert month.starts <= moment * 1000 < month.ends
    assert (day.name, month.name) == (f"{wall:%Y-%m-%d}", f"{wall:%Y-%m}")


@given(moment=moments, zone=zones)
def test_windows_abut(moment: float, zone: ZoneInfo) -> None:
    """No moment is in none of them, and none is in two."""
    for windows in (days_around(moment, zone), months_around(moment, zone)):
        assert all(earlier.ends == later.starts for earlier, later in pairwise(windows))


@given(moment=moments, zone=zones)
def test_a_window_is_the_same_from_wherever_it_is_seen(moment: float, zone: ZoneInfo) -> None:
    """Two workers a day apart by their clocks mean the same by a day's name."""
    seen = {day.name: day for day in days_around(moment, zone)}
    for day in days_around(moment + timedelta(days=1).total_seconds(), zone):
        assert seen.get(day.name, day) == day


@given(moment=moments, zone=zones)
def test_a_month_is_its_days(moment: float, zone: ZoneInfo) -> None:
    """It begins with its first day and ends with its last."""
    month = months_around(moment, zone)[1]
    assert days_around(month.starts / 1000, zone)[1].starts == month.starts
    assert days_around(month.ends / 1000 - 1, zone)[1].ends == month.ends


@given(moment=moments, zone=zones)
def test_a_day_is_its_hours(moment: float, zone: ZoneInfo) -> None:
    """They abut from its beginning to its end, none is longer than an hour, each has its name."""
    day = days_around(moment, zone)[1]
    hours = hours_of(day)
    assert (hours[0].starts, hours[-1].ends) == (day.starts, day.ends)
    assert all(earlier.ends == later.starts for earlier, later in pairwise(hours))
    assert all(0 < hour.ends - hour.starts <= HOUR for hour in hours)
    assert {hour.ends - hour.starts for hour in hours[:-1]} == {HOUR}
    assert len({hour.name for hour in hours}) == len(hours)


@given(moment=moments, zone=zones)
def test_every_moment_is_in_its_hour(moment: float, zone: ZoneInfo) -> None:
    """Of its own day; of another day the first or the last is the nearest."""
    yesterday, day, tomorrow = days_around(moment, zone)
    hour = hour_of(day, moment)
    assert hour.starts <= round(moment * 1000) <= hour.ends
    assert hour_of(yesterday, moment) == hours_of(yesterday)[-1]
    assert hour_of(tomorrow, moment) == hours_of(tomorrow)[0]


@pytest.mark.parametrize(
    ("moment", "zone", "name"),
    [
        ("2026-11-21T00:00", "UTC", "2026-11-21T00"),
        ("2026-11-21T17:59:59.999", "Europe/Berlin", "2026-11-21T17"),
        ("2026-11-21T18:00", "Asia/Kathmandu", "2026-11-21T18"),
        ("2026-10-25T02:59", "Europe/Berlin", "2026-10-25T02"),
        ("2026-10-25T03:00", "Europe/Berlin", "2026-10-25T04"),
    ],
)
def test_an_hour_is_named_by_how_many_went_before(moment: str, zone: str, name: str) -> None:
    """As on the wall, but for what is left of a day after its clocks were changed."""
    there = at(moment, zone)
    assert hour_of(days_around(there, ZoneInfo(zone))[1], there).name == name
