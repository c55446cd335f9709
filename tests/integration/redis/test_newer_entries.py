"""Entries of a newer version's: read as far as they are known, and never lost by an older one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from app.adapters.clock import SystemClock
from app.adapters.redis.directory import DirectoryOptions, RedisDirectory
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries
from app.domain.identity.directory import Actor, Change, EntryKind, Role, TenantEntry
from app.domain.identity.directory_change import creation
from tests.fakes.changed import replace
from tests.fakes.patient import PATIENCE_S, patient_batch, patient_client

pytestmark = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)
ANNA = Actor("anna", Role.OWNER, "req-1")
HEAD, ENTRIES, CHANGED = (
    f"spillgate:{{directory}}:{name}" for name in ("head", "entries", "changed")
)
PLACE = "tenant:search"
CURFEW = {"from": "22:00", "to": "06:00"}


@dataclass(slots=True)
class Replicas:
    """Replicas of two versions on one Redis."""

    url: str
    redis: Redis
    opened: AsyncExitStack

    async def present(self) -> RedisDirectory:
        """One as it is today."""
        enter = self.opened.enter_async_context
        batch = await enter(patient_batch(await enter(patient_client(self.url)), SystemClock()))
        seeds = lambda _pepper: ()  # noqa: E731  # shorter than a function that says nothing
        return await enter(RedisDirectory(batch, SystemClock(), seeds, DirectoryOptions()))

    async def written_by_a_newer(self, **fields: object) -> None:
        """A change of the tenant by a version whose tenants have these fields, too."""
        changed = msgspec.json.encode(await self.tenant() | fields)
        version = await self.redis.hincrby(HEAD, "version", 1)
        await self.redis.hset(ENTRIES, PLACE, changed)
        await self.redis.zadd(CHANGED, {PLACE: version})

    async def tenant(self) -> dict[str, Any]:
        """What is kept of the tenant."""
        found = await self.redis.hget(ENTRIES, PLACE)
        assert isinstance(found, bytes)
        return dict(msgspec.json.decode(found))


@pytest.fixture
async def replicas(tmp_path: Path) -> AsyncIterator[Replicas]:
    """On a server of their own, which may be flushed."""
    async with (
        embedded_redis(tmp_path) as server,
        Redis.from_url(server.url) as redis,
        AsyncExitStack() as opened,
    ):
        yield Replicas(server.url, redis, opened)


async def known_to(older: RedisDirectory, version: int) -> TenantEntry:
    """The tenant, as soon as this replica has read that far."""
    async with asyncio.timeout(PATIENCE_S):
        while older.current.version < version:
            await asyncio.sleep(0.005)
    return older.current.tenants["search"]


async def with_curfew(replicas: Replicas) -> tuple[RedisDirectory, TenantEntry]:
    """A replica of today's that has read what a newer one wrote."""
    older = await replicas.present()
    await older.change([creation(TenantEntry("search"))], ANNA)
    version = older.current.version
    await replicas.written_by_a_newer(curfew=CURFEW)
    return older, await known_to(older, version + 1)


async def test_an_older_replica_keeps_what_it_does_not_know(replicas: Replicas) -> None:
    """In its own changes, one after the other; and so does one that only starts then."""
    older, known = await with_curfew(replicas)
    await older.change([_disabling(known)], ANNA)
    assert (await replicas.tenant())["curfew"] == CURFEW
    assert (await replicas.tenant())["disabled"] is True
    later = await replicas.present()
    known = await known_to(later, older.current.version)
    moved = Change(EntryKind.TENANT, "search", replace(known, time_zone="Europe/Berlin"))
    await later.change([moved], ANNA)
    assert (await replicas.tenant())["curfew"] == CURFEW
    assert (await replicas.tenant())["time_zone"] == "Europe/Berlin"


async def test_what_is_written_back_after_a_flush_has_it_too(replicas: Replicas) -> None:
    """Where only the older version is left to remember it."""
    await with_curfew(replicas)
    before = await replicas.redis.hget(HEAD, "generation")
    await replicas.redis.flushall()
    async with asyncio.timeout(PATIENCE_S):
        while await replicas.redis.hget(HEAD, "generation") in {None, before}:
            await asyncio.sleep(0.01)
    assert (await replicas.tenant())["curfew"] == CURFEW


async def test_what_was_made_anew_has_nothing_of_its_predecessor(replicas: Replicas) -> None:
    """A deleted tenant's unknown fields end with it."""
    older, _ = await with_curfew(replicas)
    await older.change([Change(EntryKind.TENANT, "search", None)], ANNA)
    await older.change([creation(TenantEntry("search"))], ANNA)
    assert "curfew" not in await replicas.tenant()


def _disabling(tenant: TenantEntry) -> Change:
    return Change(EntryKind.TENANT, tenant.name, replace(tenant, disabled=True))
