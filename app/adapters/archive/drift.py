"""Whether accounts hold what their ledger says: of each tenant the last whole day, by dollars.

A day that is over stands still, so that both sides can be read one after the other. All of them are
compared in one pass through the archive, once a day where tenants share a time zone; the pass rests
between its parts, because requests share the process with it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Final

import msgspec
import structlog

from app.adapters.archive.errors import ArchiveError
from app.adapters.archive.reader import ArchiveReader
from app.adapters.redis.account import account_key
from app.adapters.redis.batch import Commands
from app.domain.identity.tenant import Tenant
from app.domain.ledger.accounts_of import charged_once
from app.domain.ledger.ledger_row import LedgerRow
from app.domain.quota.calendar import CalendarWindow, days_around
from app.domain.quota.limit import NANO
from app.errors import StoreUnavailable
from app.ports import Clock

#: How often it is looked whether a day is over, and how long one rests before it is compared.
LOOK_S: Final = 60.0
SETTLED_S: Final = 600.0
#: Where the two differ they are compared again.
AGAIN_S: Final = 3600.0
#: Rows that are read at once, some milliseconds, and the rest after them.
ROWS_AT_ONCE: Final = 500
REST_S: Final = 0.02
#: What a tenant as a whole has committed.
COMMITTED: Final = "committed:nano_usd:tenant"


def day_key(tenant: str, day: str) -> str:
    """Where an account keeps what was used on a day."""
    return f"{account_key(tenant)}:day:{day}"


class _Compared(msgspec.Struct, frozen=True):
    day: str
    nano_usd: int  # how far apart they were
    at: float


class LedgerDrift:
    """Something must run `keep_comparing`, of the process that keeps the archive.

    `dollars` is the largest difference as last compared; None before any was.
    """

    def __init__(
        self,
        batch: Commands,
        reader: ArchiveReader,
        clock: Clock,
        *,
        tenants: Callable[[], Mapping[str, Tenant]],
        archived_until: Callable[[], float],
    ) -> None:
        """`tenants` are those there are now, whose days end by their own time zone.

        `archived_until` is when all was archived that was charged, as Unix time.
        """
        self._batch = batch
        self._reader = reader
        self._clock = clock
        self._tenants = tenants
        self._archived_until = archived_until
        self._compared: dict[str, _Compared] = {}

    @property
    def dollars(self) -> float | None:
        """In US dollars, whichever of the two has more."""
        differences = (each.nano_usd for each in self._compared.values())
        largest = max(differences, default=None)
        return None if largest is None else largest / NANO

    async def keep_comparing(self) -> None:
        """Compare whatever is due, for ever."""
        while True:
            await self.compare()
            await asyncio.sleep(LOOK_S)

    async def compare(self) -> None:
        """Compare what is due, as far as Redis and archive can be read; the rest another time."""
        due = self._due()
        if not due:
            return
        try:
            before = await self._committed(due)
            archived = await self._archived(due)
            after = await self._committed(due)
        except (StoreUnavailable, ArchiveError, OSError) as error:
            structlog.get_logger().info("ledger_not_compared", error=type(error).__name__)
            return
        for tenant, day in due.items():
            if before[tenant] == after[tenant]:  # nobody was late in between
                self._note(tenant, day, after[tenant], archived[tenant])

    def _due(self) -> dict[str, CalendarWindow]:
        """By tenant the last day that is over for long enough, if that is news or was wrong."""
        now, tenants = self._clock.unix(), self._tenants()
        self._compared = {name: each for name, each in self._compared.items() if name in tenants}
        found: dict[str, CalendarWindow] = {}
        for name, tenant in tenants.items():
            yesterday = days_around(now, tenant.zone)[0]
            known = self._compared.get(name)
            is_known = known is not None and known.day == yesterday.name
            is_right = known is not None and (not known.nano_usd or now < known.at + AGAIN_S)
            is_over = self._archived_until() >= yesterday.ends / 1000 + SETTLED_S
            if is_over and not (is_known and is_right):
                found[name] = yesterday
        return found

    async def _committed(self, due: Mapping[str, CalendarWindow]) -> dict[str, int]:
        """What accounts hold of these days, nano-dollars. Raises StoreUnavailable."""
        keys = [day_key(tenant, day.name) for tenant, day in due.items()]
        found = await asyncio.gather(*(self._batch.call(("HGET", key, COMMITTED)) for key in keys))
        return {tenant: int(each or 0) for tenant, each in zip(due, found, strict=True)}

    async def _archived(self, due: Mapping[str, CalendarWindow]) -> Counter[str]:
        """What the ledger has of them. Raises ArchiveError, OSError."""
        since = min(day.starts for day in due.values()) / 1000
        rows = charged_once(self._reader.rows(since=since))
        sums: Counter[str] = Counter()
        more = True
        while more:
            more = await asyncio.to_thread(_add_some, rows, due, sums)
            await asyncio.sleep(REST_S)
        return sums

    def _note(self, tenant: str, day: CalendarWindow, held: int, archived: int) -> None:
        difference = abs(held - archived)
        self._compared[tenant] = _Compared(day.name, difference, self._clock.unix())
        if difference:
            structlog.get_logger().error(
                "ledger_drift", tenant=tenant, day=day.name, account=held, ledger=archived
            )


def _add_some(
    rows: Iterator[LedgerRow], due: Mapping[str, CalendarWindow], sums: Counter[str]
) -> bool:
    """Add the next rows; whether there were any."""
    count = 0
    for row in islice(rows, ROWS_AT_ONCE):
        count += 1
        day = due.get(row.tenant)
        if day is not None and row.day == day.name:
            sums[row.tenant] += row.charged.nano_usd
    return bool(count)
