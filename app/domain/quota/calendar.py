"""Calendar hours, days and months in a tenant's time zone, as moments on the server's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

_FIRST = 1
_HOUR_MS = 3_600_000
#: Dates, in zones, whose windows are remembered: every request asks, and few of them are new.
_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class CalendarWindow:
    """An hour, a day or a month: `starts` is in it, `ends` is not; Unix time in milliseconds."""

    name: str
    starts: int
    ends: int


def days_around(moment: float, zone: tzinfo = UTC) -> tuple[CalendarWindow, ...]:
    """Yesterday, today and tomorrow at `moment` (Unix seconds).

    Whoever decides by another clock than ours finds its own day among them. A day on which clocks
    change has 23 or 25 hours.
    """
    return _days(datetime.fromtimestamp(moment, zone).date(), zone)


def months_around(moment: float, zone: tzinfo = UTC) -> tuple[CalendarWindow, ...]:
    """Last month, this one and the next at `moment` (Unix seconds)."""
    return _months(datetime.fromtimestamp(moment, zone).date().replace(day=_FIRST), zone)


def hour_of(day: CalendarWindow, moment: float) -> CalendarWindow:
    """The hour of this day that `moment` (Unix seconds) is in; of another day's the nearest.

    Hours are counted from the day's beginning, so that each lies in one day in every zone: where
    clocks change there is a 24th or no 23rd, and a last one may be shorter. An account does the
    same by its own clock.
    """
    hours = hours_of(day)
    return hours[min(max(0, round(moment * 1000) - day.starts) // _HOUR_MS, len(hours) - 1)]


@lru_cache(_REMEMBERED)
def hours_of(day: CalendarWindow) -> tuple[CalendarWindow, ...]:
    """All hours of a day."""
    starts = range(day.starts, day.ends, _HOUR_MS)
    return tuple(
        CalendarWindow(f"{day.name}T{number:02}", start, min(start + _HOUR_MS, day.ends))
        for number, start in enumerate(starts)
    )


@lru_cache(_REMEMBERED)
def _days(today: date, zone: tzinfo) -> tuple[CalendarWindow, ...]:
    return tuple(_day(today + timedelta(days=shift), zone) for shift in (-1, 0, 1))


@lru_cache(_REMEMBERED)
def _months(first: date, zone: tzinfo) -> tuple[CalendarWindow, ...]:
    before = (first - timedelta(days=1)).replace(day=_FIRST)
    return tuple(_month(start, zone) for start in (before, first, _next_month(first)))


def _day(day: date, zone: tzinfo) -> CalendarWindow:
    return CalendarWindow(day.isoformat(), _at(day, zone), _at(day + timedelta(days=1), zone))


def _month(first: date, zone: tzinfo) -> CalendarWindow:
    return CalendarWindow(f"{first:%Y-%m}", _at(first, zone), _at(_next_month(first), zone))


def _next_month(first: date) -> date:
    return (first + timedelta(days=32)).replace(day=_FIRST)


def _at(day: date, zone: tzinfo) -> int:
    """Midnight, or the first moment after it where clocks skip midnight."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return int(midnight.timestamp() * 1000)
