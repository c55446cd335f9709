"""The month that is billed, in its own time zone."""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from typing import Final

from app.domain.quota.calendar import CalendarWindow, months_around

_MONTH: Final = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
_MIDDLE: Final = 15
_FIRST_YEAR: Final = 1971
_LAST_YEAR: Final = 9998


class NoMonth(ValueError):
    """This text names no month."""

    def __init__(self, given: str) -> None:
        super().__init__(f"{given[:32]!r} is no month such as 2026-11")


def month_named(name: str, zone: tzinfo) -> CalendarWindow:
    """`2026-11` in a zone, from its first midnight to that of the next. Raises NoMonth."""
    found = _MONTH.fullmatch(name)
    if found is None or not _FIRST_YEAR <= int(found[1]) <= _LAST_YEAR:
        raise NoMonth(name)
    middle = datetime(int(found[1]), int(found[2]), _MIDDLE, tzinfo=zone)
    return months_around(middle.timestamp(), zone)[1]


def month_of(moment: float, zone: tzinfo) -> CalendarWindow:
    """The one that a moment (Unix seconds) is in."""
    return months_around(moment, zone)[1]
