"""How much of a tenant's limits is used, as far as the last reservation told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from app.domain.quota.limit import BUDGETS, MEASURED, SPILLED, Kind, Limit
from app.domain.quota.reservation import Reservation

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
    limits = reservation.ask.limits
    for limit, left in zip(limits, reservation.left, strict=False):  # degraded: none is known
        if limit.amount > 0 and limit.scope != MEASURED:
            part = (limit.amount - left) / limit.amount
            fades_s, ends = _lifetime(limit, reservation)
            yield name_of(limit), QuotaUse(limit.scope, part, moment, fades_s, ends)


def _lifetime(limit: Limit, reservation: Reservation) -> tuple[float | None, float]:
    if limit.kind in BUDGETS:
        return None, reservation.window(limit.kind).ends / 1000
    fades_s = LIVE_S if limit.kind is Kind.LIVE else limit.window_ms / 1000
    return fades_s, float("inf")
