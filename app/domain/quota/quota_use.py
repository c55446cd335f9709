"""How much of a tenant's limits is used, as far as the last reservation told."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Final, NamedTuple

from app.domain.quota.calendar import CalendarWindow, hour_of
from app.domain.quota.limit import BUDGETS, MEASURED, SPILLED, Kind, Limit
from app.domain.quota.reservation import Ask, Refusal, Reservation

#: What runs now is not known to have ended: it counts less and less for so long. Seconds.
LIVE_S: Final = 60.0


class QuotaUse(NamedTuple):  # one is made for each limit of each request
    """The used part of one limit, 1 being all of it, as of `at`; times are Unix seconds.

    It fades in `fades_s` where its window slides, and is gone at `ends` where that is a calendar's.
    """

    scope: str
    part: float
    at: float
    fades_s: float | None
    ends: float

    def part_at(self, moment: float) -> float:
        """What is left of it, if nothing was used since."""
        if moment >= self.ends:
            return 0.0
        if self.fades_s is None:
            return self.part
        return self.part * max(0.0, 1 - max(0.0, moment - self.at) / self.fades_s)


def name_of(limit: Limit) -> str:
    """What a limit is called in metrics: a closed set, in which spill budgets have their own."""
    return f"spill_{limit.name}" if limit.scope == SPILLED else limit.name.value


def uses_of(reservation: Reservation, moment: float) -> Iterator[tuple[str, QuotaUse]]:
    """By name, what a reservation that was granted now tells of its limits.

    What measures the cache is no limit of the tenant's own: to use it up is its purpose.
    """
    limits = zip(reservation.ask.limits, reservation.left, strict=False)  # degraded: none is known
    for index, (limit, left) in enumerate(limits):
        if limit.amount > 0 and limit.scope != MEASURED:
            part = (limit.amount - left) / limit.amount
            if index in reservation.over:  # a spill budget is left as it was
                part = max(1.0, part)
            ends = reservation.window(limit.kind).ends if limit.kind in BUDGETS else None
            yield name_of(limit), _use(limit, part, moment, ends)


def refused_use(ask: Ask, refusal: Refusal, moment: float) -> QuotaUse | None:
    """What a refusal tells of its limit: with what was asked for, it is used up.

    None for what measures the cache.
    """
    limit = refusal.limit
    if limit.amount <= 0 or limit.scope == MEASURED:
        return None
    part = max(1.0, (refusal.used + refusal.asked) / limit.amount)
    ends = _window_at(ask, limit.kind, moment).ends if limit.kind in BUDGETS else None
    return _use(limit, part, moment, ends)


def _use(limit: Limit, part: float, moment: float, ends_ms: int | None) -> QuotaUse:
    if ends_ms is not None:
        return QuotaUse(limit.scope, part, moment, None, ends_ms / 1000)
    fades_s = LIVE_S if limit.kind is Kind.LIVE else limit.window_ms / 1000
    return QuotaUse(limit.scope, part, moment, fades_s, inf)


def _window_at(ask: Ask, kind: Kind, moment: float) -> CalendarWindow:
    windows = ask.months if kind is Kind.MONTH else ask.days
    now = moment * 1000
    found = next((each for each in windows if each.starts <= now < each.ends), windows[-1])
    return hour_of(found, moment) if kind is Kind.HOUR else found
