"""Calendar days and months in a tenant's time zone, as moments on the server's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

_FIRST = 1
#: Dates, in zones, whose windows are remembered: every request asks, and few of them are new.
_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class CalendarWindow:
    """A day or a month: `starts` is in it, `ends` is not; Unix time in milliseconds."""

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
