"""Accounts without a generation get their totals back from the ledger's archive.

An account has none when its tenant is new, and when Redis lost it. Nothing is admitted by it until
then: a budget of which nobody knows what is spent is not an empty one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final, Protocol
from uuid import uuid4

import structlog

from app.adapters.background import background
from app.adapters.redis.account import UNSEEDED, AccountScript, SeedTotals, account_key
from app.adapters.redis.batch import Batch
from app.domain.identity.tenant import Tenant
from app.domain.ledger.accounts_of import Balances, Totals, fields_of
from app.domain.quota.calendar import CalendarWindow, days_around, hours_of, months_around
from app.errors import StoreUnavailable
from app.ports import Clock

LOOK_S: Final = 0.1


class History(Protocol):
    """What the archive knows of a tenant."""

    async def balances(
        self, tenant: str, days: Collection[CalendarWindow], months: Collection[CalendarWindow]
    ) -> Balances:
        """Committed totals of these days and months."""
        ...


class Seeder:
    """Seeds accounts; of several seeders one wins."""

    def __init__(
        self,
        batch: Batch,
        history: History,
        clock: Clock,
        tenants: Callable[[], Mapping[str, Tenant]],
    ) -> None:
        """`tenants` are those configured now."""
        self._batch = batch
        self._script = AccountScript(batch)
        self._history = history
        self._clock = clock
        self._tenants = tenants
        self._rolled_back: set[str] = set()
        self._seen: set[str] = set()  # tenants whose accounts were looked after once
        self.seeded_total = 0

    async def note_rolled_back(self, tenant: str) -> None:
        """Have an account seeded anew that lost what the archive has of it."""
        self._rolled_back.add(tenant)

    async def seed(self, tenant: Tenant) -> None:
        """Seed it if it has no generation. Raises StoreUnavailable."""
        if await self._generation(tenant.name) == "":
            await self._begin(tenant)

    async def reseed(self, tenant: Tenant) -> None:
        """Seed it anew, whatever it holds. Raises StoreUnavailable: it is then to be seeded.

        Its generation ends first: what would be settled while the archive is read would be lost.
        """
        await self._script.end(tenant.name)
        await self._begin(tenant)

    async def _begin(self, tenant: Tenant) -> None:
        """Begin a generation from the archive, unless another seeder did."""
        now = self._clock.unix()
        days, months = days_around(now, tenant.zone), months_around(now, tenant.zone)
        found = await self._history.balances(tenant.name, days, months)
        hours = tuple(hour for day in days for hour in hours_of(day) if hour.name in found.hours)
        totals = [
            *_totals("hour", hours, found.hours),
            *_totals("day", days, found.days),
            *_totals("month", months, found.months),
        ]
        generation = uuid4().hex
        seeded = await self._script.seed(
            tenant.name, totals, generation=generation, charged=found.latest
        )
        if seeded == generation:
            self.seeded_total += 1
            structlog.get_logger().info("account_seeded", tenant=tenant.name)

    async def seed_all(self) -> None:
        """Seed every tenant that is new to us, as far as Redis answers; the others another time."""
        new = [each for name, each in self._tenants().items() if name not in self._seen]
        await asyncio.gather(*(self._seed_new(tenant) for tenant in new))

    async def keep_seeding(self) -> None:
        """Seed new tenants, and what workers found without a generation, as they come."""
        while True:
            await self.seed_all()
            for name in await self._unseeded():
                with suppress(StoreUnavailable):  # of a cluster, other nodes may answer
                    await self._seed_found(name)
            for name in sorted(self._rolled_back):
                with suppress(StoreUnavailable):
                    await self._seed_rolled_back(name)
            await asyncio.sleep(LOOK_S)

    async def seed_rolled_back(self) -> None:
        """Seed all that were noted until now. Raises StoreUnavailable."""
        for name in sorted(self._rolled_back):
            await self._seed_rolled_back(name)

    async def _seed_new(self, tenant: Tenant) -> None:
        with suppress(StoreUnavailable):
            await self.seed(tenant)
            self._seen.add(tenant.name)

    async def _unseeded(self) -> list[str]:
        """Tenants that some worker found without a generation."""
        with suppress(StoreUnavailable):
            return sorted(name.decode() for name in await self._batch.call(("SMEMBERS", UNSEEDED)))
        return []

    async def _seed_found(self, name: str) -> None:
        tenant = self._tenants().get(name)
        if tenant is not None:
            await self.seed(tenant)
        await self._batch.call(("SREM", UNSEEDED, name))

    async def _seed_rolled_back(self, name: str) -> None:
        tenant = self._tenants().get(name)
        if tenant is not None:
            await self.reseed(tenant)
        self._rolled_back.discard(name)

    async def _generation(self, tenant: str) -> str:
        """The account's generation; empty where it has none."""
        generation = await self._batch.call(("GET", f"{account_key(tenant)}:generation"))
        return generation.decode() if generation else ""


def _totals(
    period: str, windows: tuple[CalendarWindow, ...], found: Mapping[str, Totals]
) -> list[SeedTotals]:
    return [SeedTotals(period, window, fields_of(found[window.name])) for window in windows]


@asynccontextmanager
async def seeding(seeder: Seeder) -> AsyncIterator[Seeder]:
    """Everybody seeded at first where Redis answers, and again whenever it is needed."""
    await seeder.seed_all()
    async with background("seeding", seeder.keep_seeding):
        yield seeder
