"""A process with everything open that is behind its listeners."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from app.adapters.alerts.ejections import telling_ejections
from app.adapters.background import background, counting_failures
from app.adapters.bunches import in_bunches
from app.adapters.clock import SystemClock
from app.adapters.estimator import Estimator
from app.adapters.logs import Logs
from app.adapters.logs.control import LogControl
from app.adapters.metrics import families as f
from app.adapters.metrics.exposition import Metrics
from app.adapters.redis.store import Place
from app.adapters.redis.watched import Breakers
from app.adapters.upstream import HttpTransport
from app.bootstrap.caching import Cached, answer_cache
from app.bootstrap.errands import OwnRequests
from app.bootstrap.gateway import Resources, snapshot
from app.bootstrap.hedging import Hedges
from app.bootstrap.metrics import dependency_of, read_all
from app.bootstrap.process import Process
from app.bootstrap.redis_login import redis_login
from app.bootstrap.role import ALONE, Role
from app.bootstrap.secrets import secrets_in
from app.bootstrap.state import State, Watching, shared_state
from app.bootstrap.tracing import tracing
from app.bootstrap.values import base_models
from app.domain.call.tokens import TokenCounter
from app.domain.quota.learned import LearnedOutput
from app.ports import Observer
from app.settings import Settings, load_catalog
from app.waiting import WaitingRoom

if TYPE_CHECKING:  # it takes the SDK along, which is for those who trace
    from app.adapters.tracing.request_tracing import RequestTracing

EMBEDDED_DIRECTORY: Final = Path(".spillgate")

_log = structlog.get_logger()


class Opened(msgspec.Struct, frozen=True):
    """A process with everything open, and listening nowhere yet."""

    process: Process
    state: State
    metrics: Metrics
    cached: Cached
    traced: RequestTracing | None
    redis_url: str


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
        _counting(metrics),
        _redis_url(settings, role) as redis_url,
        shared_state(redis_url, SystemClock(), settings, watching, role=role) as state,
        HttpTransport() as transport,
        AsyncExitStack() as lifetimes,
    ):
        log.said = lambda: state.directory.current.logs
        log.know([state.directory.in_force.pepper.hex()])
        own = OwnRequests(state.keys)
        login = await lifetimes.enter_async_context(redis_login(settings, state.clock))
        place = replace(_cache_place(settings, redis_url), breakers=watching.breakers, login=login)
        cached = await lifetimes.enter_async_context(
            answer_cache(place, state.clock, settings, lambda: state.directory.current, own)
        )
        gathering = (state.explanations, log.requests, metrics.receipts)
        bunches = lifetimes.enter_context(in_bunches(gathering))
        metrics.before_page = bunches.tell
        traced = await lifetimes.enter_async_context(tracing(settings.tracing, log.redacted))
        resources = _resources(
            state, cached, transport, lifetimes, (bunches, *observers), traced=traced
        )
        hedges = Hedges(charged=metrics.receipts.hedged)
        resources = replace(resources, hedges=hedges, redacted=log.redacted)
        first = await snapshot(settings, resources)
        if role.serves:  # not in the first request's time
            await asyncio.to_thread(resources.estimator.warm, base_models(first.fleet))
        process = Process(first, resources, state, log)
        process.serves = role.serves
        read_all(metrics, process, state, watching.breakers)
        async with (
            background("semantic cache in force", process.keep_renewing),
            background("event loop lag", metrics.loop_lag.keep_looking),
            background("logs", log.keep_applying),
            telling_ejections(process.healths_here, state.clock),
        ):
            yield Opened(process, state, metrics, cached, traced, redis_url)


@asynccontextmanager
async def _counting(metrics: Metrics) -> AsyncIterator[None]:
    """Have failures of works that are begun inside told."""
    with counting_failures() as counted:
        metrics.readings.add(f.BACKGROUND_FAILURES, lambda: {(w,): n for w, n in counted.items()})
        yield


@asynccontextmanager
async def _redis_url(settings: Settings, role: Role) -> AsyncIterator[str]:
    """The configured Redis, another process's, or one of our own."""
    if role.redis_url is not None:
        yield role.redis_url
        return
    if settings.redis is not None:
        yield settings.redis.url.get_secret_value()
        return
    from app.adapters.redis.embedded import embedded_redis  # noqa: PLC0415  # one process's part

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
    transport: HttpTransport,
    lifetimes: AsyncExitStack,
    observers: tuple[Observer, ...],
    *,
    traced: RequestTracing | None,
) -> Resources:
    return Resources(
        clock=state.clock,
        holds=state.holds,
        capacity=state.capacity,
        waiting=WaitingRoom(state.clock),
        owners=state.owners,
        cached=cached,
        accounts=state.accounts,
        background=state.background,
        directory=state.directory,
        keys=state.keys,
        estimator=Estimator(TokenCounter(), LearnedOutput()),
        observers=observers,
        transport=transport,
        catalog=load_catalog(),
        lifetimes=lifetimes,
        traced=traced,
    )
