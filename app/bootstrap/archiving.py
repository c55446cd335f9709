"""The ledger's archive, opened by the process that keeps it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from app.adapters.archive.archive import Archive, ArchivePolicy
from app.adapters.archive.audit_log import copying_audit
from app.adapters.archive.comparison import Comparison, comparing
from app.adapters.archive.copier import CopyPlan, LedgerCopier
from app.adapters.archive.drift import LedgerDrift
from app.adapters.archive.errors import ArchiveError
from app.adapters.archive.history import ArchiveHistory
from app.adapters.archive.ledger_streams import LedgerStreams
from app.adapters.archive.progress import ArchiveProgress
from app.adapters.archive.reader import ArchiveReader
from app.adapters.archive.seeding import Seeder, seeding
from app.adapters.background import background
from app.adapters.identity.directory_keys import DirectoryKeys
from app.adapters.redis.batch import Batch
from app.adapters.redis.directory import RedisDirectory
from app.adapters.redis.store import Place, Store, opened_store
from app.ports import Clock
from app.settings import Ledger

#: For a round trip that reads a page of the ledger, seconds.
_PAGE_S: Final = 0.5


class Kept(msgspec.Struct, frozen=True):
    """What keeps it."""

    seeder: Seeder
    progress: ArchiveProgress
    drift: LedgerDrift


class Archiving(msgspec.Struct, frozen=True):
    """Opens it; it alone can tell what a lost account held."""

    store: Store
    place: Place
    clock: Clock
    keys: DirectoryKeys
    directory: RedisDirectory

    @asynccontextmanager
    async def opened(self, ledger: Ledger) -> AsyncIterator[Kept]:
        """Copy and seed. Raises ArchiveBusy where another process does, ArchiveError, OSError."""
        directory = Path(ledger.archive)
        policy = ArchivePolicy(retention_days=ledger.retention_days)
        with await opened_archive(directory, self.clock, policy) as archive:
            # Its pages are large: they have their own way, and more time.
            place = replace(self.place, patience_s=max(self.place.patience_s, _PAGE_S))
            async with (
                opened_store(place, self.clock, "redis: ledger") as store,
                self._copying(store.batch, archive, directory) as kept,
            ):
                yield kept

    @asynccontextmanager
    async def _copying(
        self, batch: Batch, archive: Archive, directory: Path
    ) -> AsyncIterator[Kept]:
        async def rolled_back(tenant: str) -> None:
            await seeder.note_rolled_back(tenant)

        plan = CopyPlan(tenants=self.keys.names_with_rows, on_rolled_back=rolled_back)
        copier = LedgerCopier(LedgerStreams(batch), archive, clock=self.clock, plan=plan)
        history = ArchiveHistory(copier, ArchiveReader(directory, skip_damaged=True))
        seeder = Seeder(self.store.batch, history, self.clock, self.keys.tenants)
        comparison = Comparison(self.store, copier, seeder, self.clock)
        progress = ArchiveProgress(archive, copier, self.clock)
        drift = LedgerDrift(
            self.store.batch,
            ArchiveReader(directory, skip_damaged=True),
            self.clock,
            tenants=self.keys.tenants,
            archived_until=progress.complete_until,
        )
        async with (
            copier,
            copying_audit(self.directory, directory),
            seeding(seeder),
            comparing(comparison),
            background("ledger drift", drift.keep_comparing),
        ):
            yield Kept(seeder, progress, drift)


async def opened_archive(directory: Path, clock: Clock, policy: ArchivePolicy) -> Archive:
    """In a thread, as it reads a file's end while requests are served.

    Who gives up waiting for it leaves no lock behind that nobody could free.
    """
    opening = asyncio.create_task(asyncio.to_thread(Archive.open, directory, clock, policy))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        with suppress(ArchiveError, OSError):
            (await opening).close()
        raise
