"""What replicas share, opened together: holds, owners of responses, accounts and their archive."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import msgspec
import structlog

from app.adapters.accounts.accounts import Options as AccountOptions
from app.adapters.accounts.accounts import SharedAccounts, Watch, shared_accounts
from app.adapters.alerts.budget_alerts import BudgetAlerts, budget_alerts
from app.adapters.alerts.lowered_limits import telling_lowered_limits
from app.adapters.background import background
from app.adapters.explanations import Explanations, keeping_explanations
from app.adapters.identity.directory_keys import DirectoryKeys
from app.adapters.redis.account import AccountScript
from app.adapters.redis.background_charges import RedisBackgroundCharges, background_charges
from app.adapters.redis.batch import Batch
from app.adapters.redis.capacity import sharing
from app.adapters.redis.data_format import agreeing
from app.adapters.redis.directory import DirectoryOptions, RedisDirectory, Seeds
from app.adapters.redis.holds import SharedHoldBoard
from app.adapters.redis.lineage import Lineages
from app.adapters.redis.replicas import Replicas, replicas
from app.adapters.redis.response_owners import RedisResponseOwners
from app.adapters.redis.store import Place, opened_store
from app.adapters.redis.watched import Breakers
from app.bootstrap.keeping import Keeper, held, keeping
from app.bootstrap.redis_login import redis_login
from app.bootstrap.role import ALONE, Role
from app.bootstrap.version import own_version
from app.domain.capacity.capacity_book import CapacityBook
from app.domain.identity.seeds import configured_pepper, differences, seeds_of
from app.domain.quota.reservation import Ask, Refusal, Reservation
from app.domain.routing.operations import operation_differences
from app.ports import Clock, HoldBoard
from app.settings import Ledger, Settings

if TYPE_CHECKING:  # the archive's adapters are for who keeps it
    from app.bootstrap.archiving import Kept
    from app.bootstrap.derived import Derived

#: The embedded Redis lives and ends with the gateway, on machines that are busy with other things.
_EMBEDDED_PATIENCE_S: Final = 0.5
#: A change by an administrator may wait for what a request may not: a Redis whose disk is busy with
#: its append-only file holds writes up for two seconds (redis.io, "Redis persistence").
_DIRECTORY_PATIENCE_S: Final = 3.0


class Watching(msgspec.Struct, frozen=True):
    """Whoever wants to know: of the ways to Redis, and of what accounts grant and refuse."""

    breakers: Breakers
    granted: Callable[[Reservation], None]
    refused: Callable[[Ask, Refusal], None]


class State(msgspec.Struct, frozen=True):
    """The shared state behind its ports.

    It follows the configuration in force: of whose deployments holds are read, and whose tenants
    and keys there are at least.
    """

    clock: Clock
    holds: HoldBoard
    capacity: CapacityBook
    owners: RedisResponseOwners
    accounts: SharedAccounts
    background: RedisBackgroundCharges
    directory: RedisDirectory
    keys: DirectoryKeys
    deployments: set[str]
    explanations: Explanations
    alerts: BudgetAlerts
    keeper: Keeper

    @property
    def kept(self) -> Kept | None:
        """What keeps the archive; None for as long as another process does."""
        return self.keeper.held.kept if self.keeper.held is not None else None

    @property
    def derived(self) -> Derived | None:
        """What is made of the archive by who keeps it; None as above."""
        return self.keeper.held.derived if self.keeper.held is not None else None

    async def follow(self, settings: Settings) -> None:
        """Have state for a new configuration, too."""
        self.deployments.update(settings.deployments)
        self.explanations.policy = settings.explain
        await self.directory.seed(_seeds(settings, self.clock))
        _tell_differences(settings, self.directory)
        if self.kept is not None:
            await self.kept.seeder.seed_all()


@asynccontextmanager
async def shared_state(
    url: str, clock: Clock, settings: Settings, watching: Watching, *, role: Role = ALONE
) -> AsyncIterator[State]:
    """State in the Redis at `url`; it need not answer yet, nor always.

    Raises UnreadableData, and ArchiveError or OSError where the archive cannot be used.
    """
    deployments = set(settings.deployments)
    async with AsyncExitStack() as opened:
        enter = opened.enter_async_context
        place = await enter(_placed(url, settings, clock, watching.breakers))
        store = await enter(opened_store(place, clock))
        batch, lineages = store.batch, Lineages(clock)
        await enter(agreeing(batch, own_version(), _end))
        worker = uuid4().hex
        options = DirectoryOptions(worker, pepper=configured_pepper(settings))
        directory = await enter(_directory(place, clock, _seeds(settings, clock), options))
        _tell_differences(settings, directory)
        keys = DirectoryKeys(directory, clock)
        # Before accounts: what they settle at the end is copied still.
        keeper = Keeper()
        if role.keeps_archive:
            from app.bootstrap.archiving import Archiving  # noqa: PLC0415  # see `Kept`

            archiving = Archiving(store, place, clock, keys, directory)
            keeper = await enter(keeping(lambda: held(archiving, settings)))
        board = await enter(SharedHoldBoard(store, clock=clock, deployments=lambda: deployments))
        capacity = await enter(sharing(CapacityBook(worker), store, clock, worker))
        await enter(telling_lowered_limits(lambda: capacity.lowered(clock.now())))
        # Who serves nothing has no part of a limit.
        workers = await enter(replicas(batch, worker)) if role.serves else Replicas(batch, worker)
        alerts = await enter(_alerts(settings, batch))
        await lineages.begin(store)
        examined = replace(place, examine=lineages.examine)
        accounting = await enter(opened_store(examined, clock, "redis: accounts"))
        await enter(background("lineages", lambda: lineages.keep_asking(store, accounting)))
        accounts = await enter(
            shared_accounts(
                AccountScript(accounting.batch),
                workers,
                clock,
                drain_s=settings.timeouts.settle_s,
                options=_account_options(settings, alerts, watching),
            )
        )
        explanations = await enter(keeping_explanations(batch, clock, settings.explain))
        yield State(
            clock=clock,
            holds=board,
            capacity=capacity,
            owners=RedisResponseOwners(batch, keys.entry),
            accounts=accounts,
            background=await enter(background_charges(batch)),
            directory=directory,
            keys=keys,
            deployments=deployments,
            explanations=explanations,
            alerts=alerts,
            keeper=keeper,
        )


@asynccontextmanager
async def _directory(
    place: Place, clock: Clock, seeds: Seeds, options: DirectoryOptions
) -> AsyncIterator[RedisDirectory]:
    patient = replace(place, patience_s=max(place.patience_s, _DIRECTORY_PATIENCE_S))
    async with (
        opened_store(patient, clock, "redis: directory") as store,
        RedisDirectory(store.batch, clock, seeds, options) as directory,
    ):
        yield directory


def _account_options(
    settings: Settings, alerts: BudgetAlerts, watching: Watching
) -> AccountOptions:
    return AccountOptions(
        archive=Path((settings.ledger or Ledger()).archive),
        watch=_watch(alerts, watching),
        leases=settings.redis is None or settings.redis.leases,
    )


def _end() -> None:
    """As TERM would: whoever starts this process again is told at the start."""
    os.kill(os.getpid(), signal.SIGTERM)


def _watch(alerts: BudgetAlerts, watching: Watching) -> Watch:
    def both(granted: Reservation) -> None:
        alerts.watch(granted)
        watching.granted(granted)

    def parts(lease: Reservation) -> Callable[[Reservation], None]:
        return both if alerts.may_come(lease) else watching.granted

    return Watch(both, watching.refused, parts)


@asynccontextmanager
async def _placed(
    url: str, settings: Settings, clock: Clock, breakers: Breakers
) -> AsyncIterator[Place]:
    async with redis_login(settings, clock) as login:
        yield replace(_place(url, settings), breakers=breakers, login=login)


def _place(url: str, settings: Settings) -> Place:
    if settings.redis is None:
        return Place(url, patience_s=_EMBEDDED_PATIENCE_S)
    patience_s = settings.redis.operation_timeout_ms / 1000
    return Place(url, cluster=settings.redis.cluster, patience_s=patience_s)


def _alerts(settings: Settings, batch: Batch) -> AbstractAsyncContextManager[BudgetAlerts]:
    webhook = settings.budgets.webhook
    url = webhook.get_secret_value() if webhook else None
    return budget_alerts(batch, url, settings.budgets.alert_at)


def _seeds(settings: Settings, clock: Clock) -> Seeds:
    created_at = clock.unix()
    return lambda pepper: seeds_of(settings, pepper, created_at)


def _tell_differences(settings: Settings, directory: RedisDirectory) -> None:
    """The admin API owns what the configuration began: whoever edits the file should know."""
    found = directory.current
    for difference in (*differences(settings, found), *operation_differences(settings, found)):
        structlog.get_logger().warning("config_not_in_force", difference=difference)
