"""What a deployment's PTUs cost in a month, whether they work or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import inf
from typing import Final

from app.domain.quota.calendar import CalendarWindow
from app.domain.quota.limit import NANO
from app.domain.quota.price import PtuSize

_HOUR_MS: Final = 3_600_000
_MINUTE_MS: Final = 60_000
_MONTHS: Final = 12
_HALF: Final = Fraction(1, 2)


class Term(StrEnum):
    """How PTUs are paid for; a closed set."""

    HOURLY = "hourly"
    MONTHLY = "monthly"  # a reservation
    YEARLY = "yearly"  # a reservation; each month owes a twelfth


@dataclass(frozen=True, slots=True)
class HourPrice:
    """US dollars of one PTU for an hour, from `since` on (Unix seconds)."""

    since: float
    usd: Fraction


@dataclass(frozen=True, slots=True)
class Purchase:
    """A deployment's PTUs and how they are paid for.

    `reserved` of them cost `usd_per_reserved` each for the term, used in part of it as well; the
    others are paid by the hour (Azure: provisioned throughput billing page, 2026-05: a deployment
    is billed by the hour, prorated to the minute; what exceeds a reservation is billed hourly).
    Between `starts` and `ends`, Unix seconds, it is there. Without a `size` nobody knows how much
    it could have served.
    """

    deployment: str
    ptus: int
    hours: tuple[HourPrice, ...]
    term: Term = Term.HOURLY
    reserved: int = 0
    usd_per_reserved: Fraction = Fraction(0)
    size: PtuSize | None = None
    starts: float = -inf
    ends: float = inf

    def there(self, month: CalendarWindow, until: float) -> tuple[int, int]:
        """From when to when it was there in the month, up to `until`; Unix milliseconds."""
        start = max(month.starts, self.starts * 1000)
        end = min(month.ends, until * 1000, self.ends * 1000)
        return int(start), int(max(start, end))

    def nano_usd(self, month: CalendarWindow, until: float) -> int:
        """What it cost, rounded to the nearest nano-dollar once."""
        start, end = self.there(month, until)
        hourly = (self.ptus - self.reserved) * sum(self._hours(start, end), Fraction(0))
        return int((hourly + self._reservation(month, end - start)) * NANO + _HALF)

    def capacity(self, month: CalendarWindow, until: float) -> Fraction | None:
        """Input tokens that it could have served; None: nobody knows."""
        start, end = self.there(month, until)
        if self.size is None:
            return None
        return self.ptus * self.size.input_tpm * Fraction(end - start, _MINUTE_MS)

    def _reservation(self, month: CalendarWindow, there: int) -> Fraction:
        a_month = self.usd_per_reserved / (_MONTHS if self.term is Term.YEARLY else 1)
        return self.reserved * a_month * Fraction(there, month.ends - month.starts)

    def _hours(self, start: int, end: int) -> Iterator[Fraction]:
        """Dollars of one PTU, for each time between two changes of the price."""
        changes = [max(start, min(end, each.since * 1000)) for each in self.hours]
        for each, begins, ends in zip(self.hours, changes, [*changes[1:], end], strict=True):
            yield each.usd * Fraction(int(ends) - int(begins), _HOUR_MS)
