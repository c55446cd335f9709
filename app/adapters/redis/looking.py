"""What a Redis server says of itself, for who only looks."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from redis.credentials import CredentialProvider
from redis.exceptions import NoPermissionError, RedisError

from app.adapters.redis.connection import redis_client
from app.errors import StoreUnavailable
from app.planner.probing.redis import RedisFacts
from app.ports import Clock

#: Connecting included.
LOOK_WITHIN_S: Final = 5.0


async def look(url: str, clock: Clock, login: CredentialProvider | None = None) -> RedisFacts:
    """Facts of the server behind an endpoint. Raises StoreUnavailable within LOOK_WITHIN_S."""
    within = LOOK_WITHIN_S
    client = redis_client(url, operation_timeout_s=within, connect_timeout_s=within, login=login)
    try:
        async with asyncio.timeout(within), client:
            await client.ping()
            began, before = clock.now(), clock.unix()
            seconds, microseconds = await client.time()
            took = clock.now() - began
            info: dict[str, Any] = await client.info()
            modules = await _modules(client)
    except (RedisError, TimeoutError, OSError) as error:
        raise StoreUnavailable(f"{type(error).__name__}: {error}") from error
    return RedisFacts(
        version=str(info.get("valkey_version") or info.get("redis_version", "")),
        role=str(info.get("role", "")),
        cluster=bool(info.get("cluster_enabled")),
        eviction=str(info.get("maxmemory_policy", "")),
        modules=modules,
        ahead_s=seconds + microseconds / 1e6 - before - took / 2,
        round_trip_s=took,
    )


async def _modules(client: Any) -> frozenset[str] | None:
    """Names of what is loaded, in lower case; None where the user may not ask."""
    try:
        loaded = await client.module_list()
    except NoPermissionError:
        return None
    return frozenset(str(_of(each, "name")).lower() for each in loaded)


def _of(module: Any, name: str) -> object:
    """A field of an answer that older servers give as a flat list, and in bytes."""
    pairs = module if isinstance(module, dict) else dict(zip(*[iter(module)] * 2, strict=True))
    value = pairs.get(name, pairs.get(name.encode(), b""))
    return value.decode() if isinstance(value, bytes) else value
