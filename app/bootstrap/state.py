"""What replicas share, opened together: holds, owners of responses, accounts and their archive."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import structlog
from redis.asyncio import Redis

from app.adapters.accounts import SharedAccounts, shared_accounts
from app.adapters.archive.archive import Archive, ArchivePolicy
from app.adapters.archive.copier import CopyPlan, LedgerCopier
from app.adapters.archive.errors import ArchiveBusy
from app.adapters.archive.history import ArchiveHistory
from app.adapters.archive.ledger_streams import LedgerStreams
from app.adapters.archive.reader import ArchiveReader
from app.adapters.budget_alerts import BudgetAlerts, budget_alerts
from app.adapters.directory_keys import DirectoryKeys
from app.adapters.redis.account import AccountScript
from app.adapters.redis.batch import Batch, batching
from app.adapters.redis.breaker import Breaker
from app.adapters.redis.connection import (
    BATCH_TIMEOUT_S,
    redis_breaker,
    redis_client,
    subscribing_client,
)
from app.adapters.redis.directory import DirectoryOptions, RedisDirectory, Seeds
from app.adapters.redis.holds import SharedHoldBoard
from app.adapters.redis.replicas import replicas
from app.adapters.redis.response_owners import RedisResponseOwners
from app.adapters.seeding import Seeder, seeding
from app.domain.seeds import configured_pepper, differences, seeds_of
from app.domain.tenant import Tenant
from app.errors import StoreUnavailable
from app.ports import Clock, HoldBoard, ResponseOwners
from app.settings import Ledger, Settings


@dataclass(frozen=True, slots=True)
class State:
    """The shared state behind its ports.

    It follows the configuration in force: of whose deployments holds are read, and whose tenants
    and keys there are at least.
    """

    clock: Clock
    holds: HoldBoard
    owners: ResponseOwners
    accounts: SharedAccounts
    seeder: Seeder | None  # of the process that keeps the archive
    directory: RedisDirectory
    keys: DirectoryKeys
    deployments: set[str]

    async def follow(self, settings: Settings) -> None:
        """Have state for a new configuration, too."""
        self.deployments.update(settings.deployments)
        await self.directory.seed(_seeds(settings, self.clock))
        _tell_differences(settings, self.directory)
        if self.seeder is not None:
            with suppress(StoreUnavailable):  # it is done when the store is back
                await self.seeder.seed_all()


@asynccontextmanager
async def shared_state(url: str, clock: Clock, settings: Settings) -> AsyncIterator[State]:
    """State in the Redis at `url`; it need not answer yet, nor always.

    Raises ArchiveError or OSError where the ledger's archive cannot be used.
    """
    deployments = set(settings.deployments)
    breaker = redis_breaker(clock)
    async with AsyncExitStack() as opened:
        enter = opened.enter_async_context
        client = await enter(redis_client(url))
        patience = settings.redis.operation_timeout_ms / 1000 if settings.redis else 0.05
        batched = await enter(redis_client(url, operation_timeout_s=patience + BATCH_TIMEOUT_S))
        subscriber = await enter(subscribing_client(url))
        batch = await enter(batching(batched, breaker, patience_s=patience))
        worker = uuid4().hex
        options = DirectoryOptions(worker, pepper=configured_pepper(settings))
        directory = await enter(RedisDirectory(batch, clock, _seeds(settings, clock), options))
        _tell_differences(settings, directory)
        keys = DirectoryKeys(directory, clock)
        archiving = _Archiving(batch, breaker, clock, keys.tenants)
        seeder = await enter(archiving.opened(settings.ledger or Ledger(), url))
        board = await enter(
            SharedHoldBoard(
                client, subscriber, breaker=breaker, clock=clock, deployments=lambda: deployments
            )
        )
        workers = await enter(replicas(batch, worker))
        alerts = await enter(_alerts(settings, batch))
        accounts = await enter(
            shared_accounts(
                AccountScript(batch),
                workers,
                clock,
                drain_s=settings.timeouts.settle_s,
                watch=alerts.watch,
            )
        )
        owners = RedisResponseOwners(client, breaker)
        yield State(clock, board, owners, accounts, seeder, directory, keys, deployments)


def _alerts(settings: Settings, batch: Batch) -> AbstractAsyncContextManager[BudgetAlerts]:
    webhook = settings.budgets.webhook
    url = webhook.get_secret_value() if webhook else None
    return budget_alerts(batch, url, settings.budgets.alert_at)


def _seeds(settings: Settings, clock: Clock) -> Seeds:
    created_at = clock.unix()
    return lambda pepper: seeds_of(settings, pepper, created_at)


def _tell_differences(settings: Settings, directory: RedisDirectory) -> None:
    """The admin API owns what the configuration began: whoever edits the file should know."""
    for difference in differences(settings, directory.current):
        structlog.get_logger().warning("config_not_in_force", difference=difference)


@dataclass(frozen=True, slots=True)
class _Archiving:
    """The ledger's archive, kept by one process; it alone can tell what a lost account held."""

    batch: Batch
    breaker: Breaker
    clock: Clock
    tenants: Callable[[], Mapping[str, Tenant]]

    @asynccontextmanager
    async def opened(self, ledger: Ledger, url: str) -> AsyncIterator[Seeder | None]:
        """Copy and seed, unless another process of this machine does."""
        directory = Path(ledger.archive)
        policy = ArchivePolicy(retention_days=ledger.retention_days)
        try:
            archive = Archive.open(directory, self.clock, policy)
        except ArchiveBusy:
            structlog.get_logger().info("archive_kept_by_another", directory=str(directory))
            yield None
            return
        with archive:
            async with (
                redis_client(url) as client,
                self._copying(client, archive, directory) as seeder,
            ):
                yield seeder

    @asynccontextmanager
    async def _copying(
        self, client: Redis, archive: Archive, directory: Path
    ) -> AsyncIterator[Seeder]:
        async def rolled_back(tenant: str) -> None:
            await seeder.note_rolled_back(tenant)

        plan = CopyPlan(tenants=self.tenants, on_rolled_back=rolled_back)
        streams = LedgerStreams(client, self.breaker)
        copier = LedgerCopier(streams, archive, clock=self.clock, plan=plan)
        history = ArchiveHistory(copier, ArchiveReader(directory, skip_damaged=True))
        seeder = Seeder(self.batch, history, self.clock, self.tenants)
        async with copier, seeding(seeder):
            yield seeder
