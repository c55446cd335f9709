"""What the archive knows of tenants' accounts, once it has all that Redis still had."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from app.adapters.archive.copier import LedgerCopier
from app.adapters.archive.reader import ArchiveReader
from app.domain.ledger.accounts_of import Balances, balances
from app.domain.quota.calendar import CalendarWindow


class ArchiveHistory:
    """Balances for reseeding."""

    def __init__(self, copier: LedgerCopier, reader: ArchiveReader) -> None:
        """`reader` leaves out what is damaged: `verify` tells of it, and a tenant must go on."""
        self._copier = copier
        self._reader = reader

    async def balances(
        self, tenant: str, days: Collection[CalendarWindow], months: Collection[CalendarWindow]
    ) -> Balances:
        """Committed totals of these days and months, rows that were in Redis until now included.

        Raises StoreUnavailable where Redis may have rows that cannot be read now.
        """
        await self._copier.drain(tenant)
        return await asyncio.to_thread(self._balances, tenant, days, months)

    def _balances(
        self, tenant: str, days: Collection[CalendarWindow], months: Collection[CalendarWindow]
    ) -> Balances:
        since = min(window.starts for window in months) / 1000
        rows = self._reader.rows(tenant, since)
        return balances(rows, [day.name for day in days], [month.name for month in months])
