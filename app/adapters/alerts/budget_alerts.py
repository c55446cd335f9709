"""Tells that a budget is nearly used up, once, however many workers notice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from app.adapters.alerts.webhook import Webhook, webhook
from app.adapters.background import background
from app.adapters.redis.batch import Batch
from app.domain.quota.budget_alert import BudgetAlert, Budgets
from app.domain.quota.limit import FORMS, NANO, Measure
from app.domain.quota.reservation import Reservation
from app.errors import StoreUnavailable

_MOST_REMEMBERED: Final = 10_000


class BudgetAlerts:
    """Watches reservations; open within `budget_alerts`."""

    def __init__(self, hook: Webhook, thresholds: Sequence[float]) -> None:
        """`thresholds` are shares of a budget, 0 to 1."""
        self._hook = hook
        self._budgets = Budgets(thresholds)
        self._noticed: dict[tuple[object, ...], None] = {}
        self._untold: asyncio.Queue[BudgetAlert] = asyncio.Queue()

    @property
    def told_total(self) -> int:
        """How many alerts this worker told of."""
        return self._hook.told_total

    @property
    def failed_total(self) -> int:
        """How many it could not deliver."""
        return self._hook.failed_total

    @property
    def is_heard(self) -> bool:
        """Whether the webhook took the last alert."""
        return self._hook.is_heard

    def may_come(self, lease: Reservation) -> bool:
        """Whether there is something to notice of its parts: each leaves at least as much."""
        return bool(self._budgets.alerts(lease))

    def watch(self, reservation: Reservation) -> None:
        """Notice what this reservation brought near its end; costs no I/O."""
        for alert in self._budgets.alerts(reservation):
            told_once = _told_once(alert)
            if told_once not in self._noticed:
                self._noticed[told_once] = None
                self._untold.put_nowait(alert)
                if len(self._noticed) > _MOST_REMEMBERED:
                    del self._noticed[next(iter(self._noticed))]

    async def keep_telling(self) -> None:
        """Tell what is noticed, for ever."""
        while True:
            alert = await self._untold.get()
            try:
                said = wording(alert)
                await self._hook.tell_once(alert.tenant, alert.identity, "budget_alert", said)
            except StoreUnavailable:  # to be noticed again
                self._noticed.pop(_told_once(alert), None)


def _told_once(alert: BudgetAlert) -> tuple[object, ...]:
    """What makes its identity; near a budget's end every request comes by here."""
    return alert.tenant, alert.window, alert.limit, alert.scope, alert.threshold


def wording(alert: BudgetAlert) -> dict[str, object]:
    """The alert as it is posted; money in US dollars."""
    _, measure = FORMS[alert.limit]
    unit, divisor = ("usd", NANO) if measure is Measure.NANO_USD else (measure.value, 1)
    used, amount = alert.used / divisor, alert.amount / divisor
    return {
        "type": "spillgate.budget_alert",
        "tenant": alert.tenant,
        "limit": alert.limit.value,
        "scope": alert.scope,
        "window": alert.window,
        "threshold": alert.threshold,
        "unit": unit,
        "used": used,
        "amount": amount,
        "text": (
            f"{alert.tenant} has used {used / amount:.0%} of {alert.limit} ({alert.scope}) "
            f"for {alert.window}: {used:,.2f} of {amount:,.2f} {unit}."
        ),
    }


@asynccontextmanager
async def budget_alerts(
    batch: Batch, url: str | None, thresholds: Sequence[float]
) -> AsyncIterator[BudgetAlerts]:
    """Alerts that are told for as long as the scope is open; `url` is the webhook's."""
    async with webhook(batch, url) as hook:
        alerts = BudgetAlerts(hook, thresholds)
        async with background("budget_alerts", alerts.keep_telling):
            yield alerts
