"""When a budget is nearly used up, and what is said about it."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final

import msgspec

from app.domain.quota.limit import BUDGETS, MEASURED, Limit, LimitName
from app.domain.quota.reservation import Reservation

#: Tuples of limits that are known; beyond so many all are forgotten.
_REMEMBERED: Final = 10_000


class BudgetAlert(msgspec.Struct, frozen=True, gc=False):
    """A share of a budget that was passed; amounts in whole units of the limit's measure."""

    tenant: str
    limit: LimitName
    scope: str
    window: str  # the hour, the day or the month
    threshold: float
    used: int  # what is held by running requests included
    amount: int

    @property
    def identity(self) -> str:
        """What is told once, however many workers notice."""
        return f"{self.window}:{self.limit}:{self.scope}:{self.threshold:g}"


class Budgets:
    """Which limits are budgets, and how little is left of each when it is told of: known at once.

    Of limits that many reservations have, in one tuple, that is worked out once.
    """

    __slots__ = ("_known", "_thresholds")

    def __init__(self, thresholds: Sequence[float]) -> None:
        """`thresholds` are shares of a budget, 0 to 1."""
        self._thresholds = thresholds
        self._known: dict[int, tuple[Sequence[Limit], Sequence[tuple[int, int]]]] = {}

    def alerts(self, reservation: Reservation) -> tuple[BudgetAlert, ...]:
        """As `alerts_of`: none for nearly all."""
        limits, left = reservation.ask.limits, reservation.left
        known = self._known.get(id(limits))
        if known is None or known[0] is not limits:
            known = self._looked_at(limits)
        if left:  # degraded: none is known
            for place, little in known[1]:
                if left[place] <= little:
                    return alerts_of(reservation, self._thresholds)
        return ()

    def _looked_at(
        self, limits: Sequence[Limit]
    ) -> tuple[Sequence[Limit], Sequence[tuple[int, int]]]:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        first = min(self._thresholds, default=inf)
        budgets = [
            (place, limit.amount - int(first * limit.amount))
            for place, limit in enumerate(limits)
            if limit.kind in BUDGETS and first < inf
        ]
        known = self._known[id(limits)] = (limits, budgets)
        return known


def alerts_of(reservation: Reservation, thresholds: Sequence[float]) -> tuple[BudgetAlert, ...]:
    """For each of the request's budgets the highest threshold (0 to 1) that is reached.

    What measures the cache is no budget of the tenant's own: to use it up is its purpose.
    """
    ask = reservation.ask
    alerts = []
    for limit, left in zip(ask.limits, reservation.left, strict=False):  # degraded: none is known
        if limit.kind not in BUDGETS or limit.scope == MEASURED or not limit.amount:
            continue
        used = limit.amount - left
        reached = [each for each in thresholds if used >= each * limit.amount]
        if reached:
            alert = BudgetAlert(
                ask.tenant,
                limit.name,
                limit.scope,
                reservation.window(limit.kind).name,
                max(reached),
                used,
                limit.amount,
            )
            alerts.append(alert)
    return tuple(alerts)
