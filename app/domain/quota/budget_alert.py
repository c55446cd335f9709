"""When a budget is nearly used up, and what is said about it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from app.domain.quota.limit import BUDGETS, MEASURED, LimitName
from app.domain.quota.reservation import Reservation


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
