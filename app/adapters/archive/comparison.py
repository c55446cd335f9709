"""Compares servers with the archive whenever one may have lost writes, before accounts use it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import structlog

from app.adapters.archive.copier import LedgerCopier
from app.adapters.archive.errors import ArchiveError
from app.adapters.archive.seeding import Seeder
from app.adapters.background import background
from app.adapters.redis.lineage import CHECKED, checked, lineages_of
from app.adapters.redis.store import Store
from app.errors import StoreUnavailable
from app.ports import Clock

LOOK_S: Final = 0.2


@dataclass(slots=True)
class Comparison:
    """Of the process that keeps the archive; something must run `keep_comparing`."""

    store: Store
    copier: LedgerCopier
    seeder: Seeder
    clock: Clock
    _known: set[str] = field(default_factory=set)

    async def compare(self) -> None:
        """Look through all streams if there is a server that nobody did that for.

        What was rolled back is seeded again before the server is noted. Raises StoreUnavailable,
        OSError and ArchiveError; then it is to be done again.
        """
        new = [each for each in await lineages_of(self.store) if each not in self._known]
        if not new:
            return
        noted = await checked(self.store.batch, new)
        missing = [each for each in new if each not in noted]
        if missing:
            while await self.copier.copy():
                pass
            await self.seeder.seed_rolled_back()
            now = int(self.clock.unix())
            for lineage in missing:
                await self.store.batch.call(("HSET", CHECKED, lineage, now))
            structlog.get_logger().info("redis_compared_with_archive", lineages=missing)
        self._known.update(new)

    async def try_to_compare(self) -> None:
        """Compare if it can be done now."""
        with suppress(StoreUnavailable, OSError, ArchiveError):  # the copier tells
            await self.compare()

    async def keep_comparing(self) -> None:
        """Compare whenever it is needed, for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.try_to_compare()


@asynccontextmanager
async def comparing(comparison: Comparison) -> AsyncIterator[None]:
    """Compared at first where Redis answers, and again whenever it is needed."""
    await comparison.try_to_compare()
    async with background("comparison", comparison.keep_comparing):
        yield
