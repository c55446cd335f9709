"""`check --probe`: everything that a config names is asked, with its own credentials."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

from app.adapters.clock import SystemClock
from app.adapters.redis.data_format import UnreadableData, look_at_format
from app.adapters.redis.looking import look
from app.adapters.redis.store import Place
from app.bootstrap.direct import asked_directly
from app.bootstrap.redis_login import redis_login
from app.bootstrap.values import fleet_of
from app.errors import StoreUnavailable
from app.planner.probing.deployments import probe_deployments
from app.planner.probing.finding import Finding, State
from app.planner.probing.redis import Needs, judged
from app.settings import Settings, load_catalog


def probed(settings: Settings) -> list[Finding]:
    """What was found of each deployment and of Redis; nothing is changed and nothing paid for."""
    return asyncio.run(_probed(settings))


async def _probed(settings: Settings) -> list[Finding]:
    deployments, stores = await asyncio.gather(_deployments(settings), _stores(settings))
    return [*deployments, *stores]


async def _deployments(settings: Settings) -> list[Finding]:
    catalog = load_catalog()
    deployments = fleet_of(settings, catalog).deployments
    embedding = frozenset(
        name for name, each in deployments.items() if catalog.facts(each.model).kind == "embedding"
    )
    async with asked_directly(settings) as upstream:
        return await probe_deployments(deployments.values(), embedding, upstream, SystemClock())


async def _stores(settings: Settings) -> list[Finding]:
    found: list[Finding] = []
    async with redis_login(settings, SystemClock()) as login:
        for url, needs in _places(settings):
            try:
                facts = await look(url, SystemClock(), login)
            except StoreUnavailable as error:
                found.append(Finding(needs.place, State.FAILED, f"it is out of reach: {error}"))
                continue
            found += judged(facts, needs)
            if needs.accounts:
                place = Place(url, cluster=needs.cluster, login=login)
                found += await _data_format(place, needs.place)
    return found


async def _data_format(place: Place, name: str) -> list[Finding]:
    try:
        await look_at_format(place, SystemClock())
    except UnreadableData as error:
        return [Finding(name, State.FAILED, str(error))]
    except (StoreUnavailable, TimeoutError):  # which was just found there: it is told next time
        return []
    return []


def _places(settings: Settings) -> Iterator[tuple[str, Needs]]:
    """The servers, and what is wanted of each; none where the embedded one is used."""
    redis = settings.redis
    if redis is None:
        return
    search = _searches(settings)
    apart = redis.cache_url
    accounts = Needs("redis", redis.cluster, redis.operation_timeout_ms / 1000)
    yield redis.url.get_secret_value(), replace(accounts, search=search and apart is None)
    if apart is not None:
        answers = Needs("redis.cache_url", cluster=False, patience_s=accounts.patience_s)
        yield apart.get_secret_value(), replace(answers, accounts=False, search=search)


def _searches(settings: Settings) -> bool:
    models = (each.cache.semantic.enabled for each in settings.models.values())
    return settings.cache.semantic.enabled or any(models)
