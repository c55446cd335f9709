"""What `check` says of a configuration beside its mistakes: what is in force, what is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from app.adapters.clock import SystemClock
from app.adapters.embedder.local import DEFAULT, missing
from app.adapters.redis.directory_reading import read_directory
from app.adapters.redis.store import Place
from app.bootstrap.certificates import certificate_warnings
from app.bootstrap.opening import EMBEDDED_DIRECTORY
from app.bootstrap.redis_login import redis_login
from app.domain.identity.directory import Directory, TenantEntry
from app.domain.identity.seeds import differences, seeded_tenants
from app.domain.routing.operations import operation_differences
from app.domain.routing.policy_warnings import policy_warnings
from app.errors import StoreUnavailable
from app.settings import Settings


def compared(settings: Settings) -> Iterable[str]:
    """Lines that say what is missing here, and where the directory in Redis differs.

    The configuration creates tenants and keys that are absent; the admin API owns them afterwards.
    Where nothing was compared it is said why.
    """
    missing_here = _without_embedder(_places(settings), settings)
    return [*certificate_warnings(settings), *missing_here, *_differing(settings)]


def _differing(settings: Settings) -> list[str]:
    url = _url(settings)
    if url is None:
        return ["not compared with what is in force: no embedded Redis runs in this directory"]
    try:
        directory = asyncio.run(_read(url, settings))
    except StoreUnavailable as error:
        return [f"not compared with what is in force: {error}"]
    if directory is None:
        return ["nothing is in force yet: `serve` creates the tenants and keys"]
    differing = (*differences(settings, directory), *operation_differences(settings, directory))
    found = [f"in force otherwise: {each}" for each in differing]
    return [*(found or ["in force as configured"]), *_warnings(settings, directory)]


async def _read(url: str, settings: Settings) -> Directory | None:
    async with redis_login(settings, SystemClock()) as login:
        place = Place(url, cluster=_is_cluster(settings), login=login)
        return await read_directory(place, SystemClock())


def _warnings(settings: Settings, directory: Directory) -> list[str]:
    """Of the tenants in force, those that `check` has not said of the configured ones."""
    said = set(policy_warnings(settings, seeded_tenants(settings)))
    found = policy_warnings(settings, directory.tenants.values())
    places = sorted({*_tenants_places(directory.tenants.values())} - {*_places(settings)})
    return [
        *(f"warning: in force: {each}" for each in found if each not in said),
        *_without_embedder(places, settings),
    ]


def _places(settings: Settings) -> list[str]:
    """Where the configuration has requests answered by meaning."""
    general = ["cache.semantic"] if settings.cache.semantic.enabled else []
    models = settings.models.items()
    of_models = [f"models.{name}.cache.semantic" for name, m in models if m.cache.semantic.enabled]
    return [*general, *of_models, *_tenants_places(seeded_tenants(settings))]


def _tenants_places(tenants: Iterable[TenantEntry]) -> Iterator[str]:
    for tenant in tenants:
        if tenant.cache.semantic.enabled:
            yield f"tenants.{tenant.name}.cache.semantic"


def _without_embedder(places: Iterable[str], settings: Settings) -> Iterator[str]:
    """A warning for each, where nothing would turn prompts into vectors."""
    reason = missing(DEFAULT) if settings.cache.embedder.model is None else ""
    for place in places if reason else ():
        yield f"warning: {place}: nothing will be found by meaning: {reason}"


def _is_cluster(settings: Settings) -> bool:
    return settings.redis is not None and settings.redis.cluster


def _url(settings: Settings) -> str | None:
    """Redis, or the embedded one where it runs; None: nowhere."""
    if settings.redis is not None:
        return settings.redis.url.get_secret_value()
    socket = EMBEDDED_DIRECTORY / "redis" / "redis.sock"
    return f"unix://{quote(str(socket.resolve()))}" if socket.is_socket() else None
