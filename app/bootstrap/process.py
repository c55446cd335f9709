"""A whole gateway process: shared state, both listeners, reload, drain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import structlog
from pydantic import BaseModel

from app.adapters.aiohttp_upstream import AiohttpTransport
from app.adapters.background import background
from app.adapters.clock import SystemClock
from app.adapters.estimator import Estimator
from app.adapters.logs import Logs
from app.adapters.logs.control import LogControl
from app.adapters.metrics.exposition import Metrics
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.store import Place
from app.adapters.redis.watched import Breakers
from app.api.admin.deployments import CapacityView, DeploymentList, Live, list_deployments
from app.api.data_plane import DataPlane, DataPlaneLimits
from app.api.readiness import Readiness
from app.api.server import bind
from app.bootstrap.caching import Cached, answer_cache, false_hit_bound
from app.bootstrap.errands import OwnRequests
from app.bootstrap.gateway import Resources, Snapshot, snapshot
from app.bootstrap.hedging import Hedges
from app.bootstrap.listening import serving_admin, serving_data
from app.bootstrap.metrics import dependency_of, read_all
from app.bootstrap.role import ALONE, Role
from app.bootstrap.secrets import secrets_in
from app.bootstrap.state import State, Watching, shared_state
from app.bootstrap.tracing import READ_AT_START as TRACING_READ_AT_START
from app.bootstrap.tracing import Traced, tracing
from app.domain.call.tokens import TokenCounter
from app.domain.quota.learned import LearnedOutput
from app.domain.routing.deployment import Fleet
from app.domain.routing.health import State as HealthState
from app.ports import Observer
from app.settings import Settings, load_catalog
from app.waiting import WaitingRoom

EMBEDDED_DIRECTORY = Path(".spillgate")
_READ_AT_START: Final = (
    "listen", "redis", "ledger", "budgets", "keys", "metrics", "usage_export", "anomalies",
)  # fmt: skip
_TIMEOUTS_READ_AT_START: Final = ("timeouts.header_s", "timeouts.keep_alive_s")
_CACHE_READ_AT_START: Final = ("cache.embedder", "cache.comparator")

_log = structlog.get_logger()


@dataclass(slots=True)
class FileInForce:
    """The configuration file that is in force: its SHA-256, and whether it is the one in place."""

    digest: bytes = b""
    is_last: bool = True
    content: bytes = field(default=b"", repr=False)


class Process:
    """A gateway that serves; `current` is replaced by a reload."""

    def __init__(
        self, first: Snapshot, resources: Resources, state: State, logs: LogControl
    ) -> None:
        """`state` and `logs` follow the configuration."""
        self.resources = resources
        self.logs = logs
        self._put_in_force(first)
        self._state = state
        self.readiness = Readiness()
        self.data_url = ""
        self.admin_url = ""
        self.data_plane = DataPlane(
            lambda: self.current.gateway, self.readiness, lambda: _limits(self.current.settings)
        )
        self.generation = 1
        self.serves = True
        #: What those that serve think of deployments; None: what this process thinks.
        self.healths: Callable[[], Mapping[str, HealthState]] | None = None
        self.file: FileInForce | None = None
        self._started_with = first.settings
        self._turn = asyncio.Lock()
        resources.cached.by_meaning.changed.clear()  # the first snapshot has what there is

    async def reload(self, settings: Settings) -> None:
        """Swap in a new snapshot; requests under way end on the one they started with.

        Reloads take turns in the order they were asked for. One that raises leaves the snapshot as
        it is; tenants and keys of its settings may have been seeded.
        """
        self.logs.know(secrets_in(settings))  # before anything can go wrong with them
        async with self._turn:
            following = await snapshot(settings, self.resources)
            await self._state.follow(settings)
            self._put_in_force(following)
            self.generation += 1
        _log.info("config reloaded", deployments=len(settings.deployments))
        opened_with = self.resources.cached.by_meaning.opened_with
        if waiting := _waiting(self._started_with, settings, opened_with):
            _log.warning("config waits for the next start", settings=waiting)

    async def keep_renewing(self) -> None:
        """Put a snapshot of the same settings in force whenever the cache can do more, or less."""
        changed = self.resources.cached.by_meaning.changed
        while True:
            await changed.wait()
            changed.clear()
            try:
                async with self._turn:
                    settings = self.current.settings
                    self._put_in_force(await snapshot(settings, self.resources))
            except Exception:
                changed.set()  # for whoever begins this again
                raise

    def _put_in_force(self, following: Snapshot) -> None:
        resources = self.resources
        self.current = following
        self.logs.rules = following.settings.logs
        resources.cached.own.current = following.errands
        resources.cached.by_meaning.settings = following.settings
        if resources.cached.meaning is not None:
            bound = false_hit_bound(following.settings, resources.keys.tenants)
            resources.cached.meaning.measured.errors.bound = bound

    def healths_here(self) -> Mapping[str, HealthState]:
        """What this process thinks of deployments."""
        now, health = self.resources.clock.now(), self.resources.health
        return {name: health.state(name, now) for name in self.current.fleet.deployments}

    def deployments(self) -> DeploymentList:
        """What the admin API lists."""
        settings, fleet = self.current.settings, self.current.fleet
        capacities = {
            name: CapacityView(ptus=each.ptus, tpm=each.tpm, rpm=each.rpm)
            for name, each in settings.deployments.items()
        }
        live = _live(fleet, self.resources)
        if self.healths is not None:
            live = replace(live, health=self.healths())
        return list_deployments(fleet, capacities, live)


@dataclass(frozen=True, slots=True)
class Opened:
    """A process with everything open, and listening nowhere yet."""

    process: Process
    state: State
    metrics: Metrics
    cached: Cached
    traced: Traced | None
    redis_url: str


@asynccontextmanager
async def running(
    settings: Settings, *, observers: tuple[Observer, ...] = (), logs: Logs | None = None
) -> AsyncIterator[Process]:
    """Everything open and serving in this process; leaving the scope drains.

    `observers` are told of every receipt, besides the log; `logs` are the process's own, which
    then follow the configuration and what operators say.

    Raises CannotListen for an address in use, EmbeddedRedisError where no Redis can be started.
    """
    listen = settings.listen
    data_socket = bind(listen.host, listen.port)
    admin_socket = bind(listen.admin_host, listen.admin_port)
    # The admin listener opens first and closes last: it answers while the other one drains.
    async with (
        opened(settings, observers=observers, logs=logs) as here,
        serving_admin(here, admin_socket, here.metrics.page),
        serving_data(here.process, data_socket),
    ):
        yield here.process


@asynccontextmanager
async def opened(
    settings: Settings,
    *,
    observers: tuple[Observer, ...] = (),
    logs: Logs | None = None,
    role: Role = ALONE,
) -> AsyncIterator[Opened]:
    """Everything that is behind the listeners. Raises EmbeddedRedisError."""
    log = LogControl(logs, SystemClock().unix, settings.logs)
    log.know(secrets_in(settings))
    log.apply()
    metrics = Metrics(settings.metrics.most_tenants, SystemClock())
    watching = Watching(Breakers(dependency_of), metrics.quota.watch, metrics.quota.refused)
    async with (
        _redis_url(settings, role) as redis_url,
        shared_state(redis_url, SystemClock(), settings, watching, role=role) as state,
        AiohttpTransport() as transport,
        AsyncExitStack() as lifetimes,
    ):
        log.said = lambda: state.directory.current.logs
        log.know([state.directory.in_force.pepper.hex()])
        own = OwnRequests(state.keys)
        place = replace(_cache_place(settings, redis_url), breakers=watching.breakers)
        cached = await lifetimes.enter_async_context(
            answer_cache(place, state.clock, settings, lambda: state.directory.current, own)
        )
        told: tuple[Observer, ...] = (log.requests, metrics.receipts, *observers)
        traced = await lifetimes.enter_async_context(tracing(settings.tracing))
        resources = _resources(state, cached, transport, lifetimes, told, traced=traced)
        resources = replace(resources, hedges=Hedges(charged=metrics.receipts.hedged))
        if role.serves:
            await asyncio.to_thread(resources.estimator.warm)  # not in the first request's time
        process = Process(await snapshot(settings, resources), resources, state, log)
        process.serves = role.serves
        read_all(metrics, process, state, watching.breakers)
        async with (
            background("semantic cache in force", process.keep_renewing),
            background("event loop lag", metrics.loop_lag.keep_looking),
            background("logs", log.keep_applying),
        ):
            yield Opened(process, state, metrics, cached, traced, redis_url)


@asynccontextmanager
async def _redis_url(settings: Settings, role: Role) -> AsyncIterator[str]:
    """The configured Redis, another process's, or one of our own."""
    if role.redis_url is not None:
        yield role.redis_url
        return
    if settings.redis is not None:
        yield settings.redis.url.get_secret_value()
        return
    async with embedded_redis(EMBEDDED_DIRECTORY / "redis") as embedded:
        if embedded.search_note:
            _log.info("embedded redis", note=embedded.search_note)
        yield embedded.url


def _cache_place(settings: Settings, redis_url: str) -> Place:
    """A Redis of its own, which may evict, or the one that everything is in."""
    redis = settings.redis
    if redis is None or redis.cache_url is None:
        return Place(redis_url, cluster=redis is not None and redis.cluster)
    return Place(redis.cache_url.get_secret_value())


def _resources(
    state: State,
    cached: Cached,
    transport: AiohttpTransport,
    lifetimes: AsyncExitStack,
    observers: tuple[Observer, ...],
    *,
    traced: Traced | None,
) -> Resources:
    return Resources(
        clock=state.clock,
        holds=state.holds,
        capacity=state.capacity,
        waiting=WaitingRoom(state.clock),
        owners=state.owners,
        cached=cached,
        accounts=state.accounts,
        directory=state.directory,
        keys=state.keys,
        estimator=Estimator(TokenCounter(), LearnedOutput()),
        observers=(state.explanations, *observers),
        transport=transport,
        catalog=load_catalog(),
        lifetimes=lifetimes,
        traced=traced,
    )


def _live(fleet: Fleet, resources: Resources) -> Live:
    now, names = resources.clock.now(), fleet.deployments
    return Live(
        now=now,
        unix=resources.clock.unix(),
        holds=resources.holds.holds(),
        utilizations=resources.capacity.utilizations(now),
        lowered_tpm={name: each.tpm for name, each in resources.capacity.lowered(now).items()},
        health={name: resources.health.state(name, now) for name in names},
        shares={name: resources.capacity.parts(name, now) for name in names},
        operations=resources.directory.current.deployments,
    )


def _waiting(before: Settings, after: Settings, opened_with: Settings | None) -> list[str]:
    """Paths of what is read at the start alone, and is not what it was then.

    Of the semantic cache it is what it was opened with, None where it was not.
    """
    sections = [(name, getattr(before, name), getattr(after, name)) for name in _READ_AT_START]
    waiting = [path for section in sections for path in _differing(*section)]
    timeouts = _differing("timeouts", before.timeouts, after.timeouts)
    waiting += [path for path in timeouts if path in _TIMEOUTS_READ_AT_START]
    traces = _differing("tracing", before.tracing, after.tracing)
    waiting += [path for path in traces if path in TRACING_READ_AT_START]
    caches = _differing("cache", (opened_with or after).cache, after.cache)
    return waiting + [path for path in caches if path in _CACHE_READ_AT_START]


def _differing(path: str, before: BaseModel | None, after: BaseModel | None) -> list[str]:
    """Paths of the fields that differ; of the section, where it is on one side only."""
    if before is None or after is None:
        return [path] if before is not after else []
    names = type(before).model_fields
    return [f"{path}.{name}" for name in names if getattr(before, name) != getattr(after, name)]


def _limits(settings: Settings) -> DataPlaneLimits:
    return DataPlaneLimits(
        max_body=settings.limits.max_body_bytes,
        body_s=settings.timeouts.body_s,
        write_stall_s=settings.timeouts.write_stall_s,
        max_in_flight=settings.limits.max_in_flight,
    )
