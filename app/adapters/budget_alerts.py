"""Tells that a budget is nearly used up: one log line and one POST, however many workers notice.

The POST goes to the configured webhook as JSON, `text` included, which chat systems show. It has
5 s and three attempts; no request waits for it, and what could not be told is in the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import httpx2
import structlog

from app.adapters.background import background
from app.adapters.redis.account import account_key
from app.adapters.redis.batch import Batch
from app.domain.quota.budget_alert import BudgetAlert, alerts_of
from app.domain.quota.limit import FORMS, NANO, Measure
from app.domain.quota.reservation import Reservation
from app.errors import StoreUnavailable

POST_TIMEOUT_S: Final = 5.0
ATTEMPTS: Final = 3
PAUSE_S: Final = 2.0
#: An alert is remembered for longer than the longest window.
_TOLD_FOR_S: Final = 40 * 86_400
_MOST_REMEMBERED: Final = 10_000


class BudgetAlerts:
    """Watches reservations; open within `budget_alerts`."""

    def __init__(
        self, batch: Batch, client: httpx2.AsyncClient, url: str | None, thresholds: Sequence[float]
    ) -> None:
        """`url` is the webhook, None: only the log is told. It may hold a secret."""
        self._batch = batch
        self._client = client
        self._url = url
        self._thresholds = thresholds
        self._noticed: dict[tuple[str, str], None] = {}
        self._untold: asyncio.Queue[BudgetAlert] = asyncio.Queue()
        self.told_total = 0
        self.failed_total = 0

    def watch(self, reservation: Reservation) -> None:
        """Notice what this reservation brought near its end; costs no I/O."""
        for alert in alerts_of(reservation, self._thresholds):
            known = (alert.tenant, alert.identity)
            if known not in self._noticed:
                self._noticed[known] = None
                self._untold.put_nowait(alert)
        while len(self._noticed) > _MOST_REMEMBERED:
            del self._noticed[next(iter(self._noticed))]

    async def keep_telling(self) -> None:
        """Tell what is noticed, for ever."""
        while True:
            alert = await self._untold.get()
            try:
                if await self._is_first(alert):
                    await self._tell(alert)
            except StoreUnavailable:  # to be noticed again
                self._noticed.pop((alert.tenant, alert.identity), None)

    async def _is_first(self, alert: BudgetAlert) -> bool:
        key = f"{account_key(alert.tenant)}:alerted:{alert.identity}"
        return await self._batch.call(("SET", key, "1", "NX", "EX", _TOLD_FOR_S)) is not None

    async def _tell(self, alert: BudgetAlert) -> None:
        said = wording(alert)
        structlog.get_logger().warning("budget_alert", **said)
        if self._url is None or await self._post(self._url, said):
            self.told_total += 1
            return
        self.failed_total += 1
        structlog.get_logger().error("budget_alert_not_delivered", tenant=alert.tenant)

    async def _post(self, url: str, said: dict[str, object]) -> bool:
        for attempt in range(ATTEMPTS):
            try:
                async with asyncio.timeout(POST_TIMEOUT_S):
                    answer = await self._client.post(url, json=said)
                if answer.is_success:
                    return True
            except (httpx2.HTTPError, httpx2.InvalidURL, OSError):
                pass  # its text would name the URL
            await asyncio.sleep(PAUSE_S * attempt)
        return False


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
    """Alerts that are told for as long as the scope is open."""
    async with httpx2.AsyncClient(
        timeout=POST_TIMEOUT_S, follow_redirects=False, trust_env=False
    ) as client:
        alerts = BudgetAlerts(batch, client, url, thresholds)
        async with background("budget_alerts", alerts.keep_telling):
            yield alerts
