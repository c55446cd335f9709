"""Looks every few minutes whether a tenant's hour is far off its own history, and tells of it.

The process that keeps the ledger's archive does it. What an hour should come to is found out once
an hour and tenant; every look after that compares numbers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event, Lock
from typing import Final

import msgspec

from app.adapters.alerts.webhook import Webhook
from app.adapters.anomalies.found import Anomalies
from app.adapters.anomalies.hourly_sums import HourlySums
from app.adapters.anomalies.report import wording, write_report
from app.adapters.background import background
from app.adapters.pace import Ended, gently
from app.domain.identity.tenant import Tenant
from app.domain.quota.anomaly import (
    HOUR_S,
    HOURS_OF_WEEK,
    AnomalyReport,
    AnomalyRules,
    Expectation,
    HourFound,
    UsageMeasure,
    deviations,
    expectations,
)
from app.errors import StoreUnavailable
from app.ports import Clock

_MOST_REMEMBERED: Final = 10_000


class Watched(msgspec.Struct, frozen=True):
    """Whose usage is looked at, by which rules, and how often (seconds)."""

    archive: Path
    tenants: Callable[[], Mapping[str, Tenant]]
    rules: AnomalyRules
    every_s: float = 300.0


class AnomalyWatch:
    """Open within `watching_anomalies`; what it finds is in `anomalies`."""

    def __init__(self, watched: Watched, clock: Clock, hook: Webhook, anomalies: Anomalies) -> None:
        """Each anomaly is told once through `hook`."""
        self._watched = watched
        self._clock = clock
        self._hook = hook
        self._anomalies = anomalies
        self._sums: HourlySums | None = None
        self._turn = Lock()
        self._ended = Event()
        self._expected: dict[tuple[str, int], dict[UsageMeasure, Expectation]] = {}
        self._noticed: dict[tuple[str, int], None] = {}
        self._untold: asyncio.Queue[HourFound] = asyncio.Queue()

    async def keep_looking(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(self._watched.every_s)

    async def keep_telling(self) -> None:
        """Tell what is found, for ever."""
        while True:
            found = await self._untold.get()
            said, identity = wording(found, self._watched.rules), f"anomaly:{found.hour}"
            try:
                await self._hook.tell_once(found.tenant, identity, "usage_anomaly", said)
            except StoreUnavailable:  # to be noticed again
                self._noticed.pop((found.tenant, found.hour), None)

    async def look(self) -> None:
        """Compare once. Raises OSError or sqlite3.Error, and is then to be done again."""
        try:
            report = await asyncio.to_thread(self._found)
        except Ended:
            return
        self._anomalies.report = report
        for found in report.hours:
            if found.is_told(self._watched.rules):
                self._notice(found)

    def close(self) -> None:
        """Give up what is under way; blocking, for a moment."""
        self._ended.set()
        with self._turn:
            if self._sums is not None:
                self._sums.close()
                self._sums = None

    def _notice(self, found: HourFound) -> None:
        known = found.tenant, found.hour
        if known not in self._noticed:
            self._noticed[known] = None
            self._untold.put_nowait(found)
        while len(self._noticed) > _MOST_REMEMBERED:
            del self._noticed[next(iter(self._noticed))]

    def _found(self) -> AnomalyReport:
        """All tenants' last whole hours, or those under way where they are far above already."""
        with self._turn:
            if self._ended.is_set():
                raise Ended
            now = self._clock.unix()
            hour = int(now // HOUR_S)
            oldest = hour - self._watched.rules.history_weeks * HOURS_OF_WEEK - 1
            self._sums = self._sums or HourlySums.open(self._watched.archive, oldest)
            self._sums.take(self._ended, oldest)
            self._expected = {
                key: each for key, each in self._expected.items() if key[1] >= hour - 1
            }
            tenants = self._watched.tenants()
            names = sorted(tenants.keys() & set(self._sums.tenants()))
            hours = [
                self._of(self._sums, tenants[name], hour) for name in gently(names, self._ended)
            ]
            report = AnomalyReport(now, tuple(each for each in hours if each.deviations))
            write_report(self._watched.archive, report)
            return report

    def _of(self, sums: HourlySums, tenant: Tenant, hour: int) -> HourFound:
        if sums.at(tenant.name, hour).requests:
            under_way = self._hour(sums, tenant, hour, under_way=True)
            if under_way.is_told(self._watched.rules):
                return under_way
        return self._hour(sums, tenant, hour - 1, under_way=False)

    def _hour(self, sums: HourlySums, tenant: Tenant, hour: int, *, under_way: bool) -> HourFound:
        key = tenant.name, hour
        if key not in self._expected:
            first = hour - self._watched.rules.history_weeks * HOURS_OF_WEEK
            before = sums.of(tenant.name, first, hour)
            self._expected[key] = expectations(before, hour, tenant.zone, self._watched.rules)
        found = deviations(sums.at(tenant.name, hour), self._expected[key])
        return HourFound(tenant.name, hour, under_way, found)


@asynccontextmanager
async def watching_anomalies(watch: AnomalyWatch) -> AsyncIterator[None]:
    """Looked for and told of for as long as the scope is open."""
    try:
        async with background("anomalies", watch.keep_looking, watch.keep_telling):
            yield
    finally:
        await asyncio.to_thread(watch.close)
