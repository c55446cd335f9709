"""One server, opened as a store: how often it is told that it is lost, and who is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from app.adapters.clock import SystemClock
from app.adapters.redis.account import AccountScript
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries
from app.adapters.redis.store import Place, opened_store
from app.errors import StoreUnavailable
from tests.fakes.changed import replace
from tests.fakes.patient import PATIENCE_S, patient

CLOCK = SystemClock()


@pytest.fixture
async def own_url(tmp_path: Path) -> AsyncIterator[str]:
    """A server that nobody else uses."""
    binaries = installed_binaries()
    if binaries.server is None:
        pytest.skip("no embedded Redis server for this machine")
    async with embedded_redis(tmp_path, binaries=replace(binaries, search=None)) as server:
        yield server.url


async def test_a_server_that_is_not_there_is_told_once() -> None:
    """However often it is asked."""
    place = Place("unix:///nonexistent/redis.sock")
    with capture_logs() as logs:
        async with opened_store(place, CLOCK) as store:
            for _ in range(20):
                with pytest.raises(StoreUnavailable):
                    await store.batch.call(("GET", "key"))
    assert [log["event"] for log in logs] == ["store_lost"]


async def test_a_demoted_primary_is_a_lost_store_and_is_left(own_url: str) -> None:
    """It refuses to write; its connections go, so that the next ones lead where the name leads."""
    async with (
        Redis.from_url(own_url, protocol=3) as admin,
        opened_store(patient(own_url), CLOCK) as store,
    ):
        script = AccountScript(store.batch)
        assert await script.seed("t", [], generation="g1") == "g1"
        before = await _connections(admin)
        assert before
        await admin.replicaof("127.0.0.1", 1)
        with capture_logs() as logs:
            for _ in range(5):
                with pytest.raises(StoreUnavailable):
                    await script.seed("t", [], generation="g2", replaces="g1")
        assert [log["event"] for log in logs] == ["store_lost"]
        assert not before & await _connections(admin)

        await admin.replicaof("NO", "ONE")
        async with asyncio.timeout(PATIENCE_S):
            while not await _seeds(script):
                await asyncio.sleep(0.05)


async def _connections(admin: Redis) -> set[str]:
    """Ids of the connections of others that ran a script."""
    found = await admin.client_list()
    return {each["id"] for each in found if each["cmd"].startswith("eval")}


async def _seeds(script: AccountScript) -> bool:
    try:
        return await script.seed("t", [], generation="g3", replaces="g1") == "g3"
    except StoreUnavailable:
        return False
