"""The page that Prometheus reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from app.adapters.metrics.families import FAMILIES, LOOP_LAG, PTU_REPORTED, QUOTA_USED
from app.adapters.metrics.family import Family
from app.adapters.metrics.instruments import Instruments
from app.adapters.metrics.known import Known, series_of
from app.adapters.metrics.loop_lag import LoopLag
from app.adapters.metrics.names import TenantLabels
from app.adapters.metrics.quota import QuotaUses
from app.adapters.metrics.readings import Readings
from app.adapters.metrics.receipts import ReceiptMetrics
from app.adapters.metrics.writing import PageWriter
from app.ports import Clock

OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


def wants_openmetrics(accept: str) -> bool:
    """Whether the header names it; Prometheus does, before plain text."""
    return "application/openmetrics-text" in accept


class Metrics:
    """The metrics of one process: `receipts` is its Observer, `readings` takes readers.

    `quota` watches reservations, `known` tells what is configured; something must run
    `loop_lag.keep_looking`.
    """

    def __init__(self, most_tenants: int, clock: Clock) -> None:
        """So many tenants have series of their own."""
        self._instruments = Instruments()
        self._counted = self._instruments.children
        self._writer = PageWriter(FAMILIES)
        self.tenants = TenantLabels(most_tenants)
        self.receipts = ReceiptMetrics(self._instruments, self.tenants)
        self.quota = QuotaUses(self.tenants, clock)
        self.loop_lag = LoopLag(self._instruments.histograms(LOOP_LAG)[()])
        self.readings = Readings()
        self.known: Callable[[], Known] = Known
        #: Has receipts counted that wait for others.
        self.before_page: Callable[[], None] = lambda: None
        self.readings.add(QUOTA_USED, self.quota.read)
        self.readings.add(PTU_REPORTED, lambda: self.receipts.reported(clock.now()))

    async def page(self, accept: str) -> tuple[str, bytes]:
        """The content type and the page, by the `Accept` header; rendered in a thread."""
        if wants_openmetrics(accept):
            return OPENMETRICS, await self.openmetrics()
        return TEXT, await asyncio.to_thread(self._writer.text, self._counted, self._read())

    async def openmetrics(self) -> bytes:
        """The page in OpenMetrics, which alone has exemplars."""
        return await asyncio.to_thread(self._writer.openmetrics, self._counted, self._read())

    def _read(self) -> dict[Family, dict[tuple[str, ...], float]]:
        """What is read now, on the loop, so that nothing changes meanwhile."""
        self.before_page()
        self.receipts.count_tallies()
        known = self.known()
        # Before a page rather than at a reload: nobody can see a series sooner.
        for family, labels in series_of(known, self.tenants.expect(known.tenants.keys())):
            self._instruments.begin(family, labels)
        return self.readings.read()
