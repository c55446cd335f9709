"""Which servers accounts are let on: none that may have lost what the archive knows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from app.adapters.clock import SystemClock
from app.adapters.redis import breaker
from app.adapters.redis.embedded_binaries import installed_binaries
from app.adapters.redis.lineage import CHECKED, GRACE_S, Lineages, lineages_of
from app.adapters.redis.store import Store, opened_store
from app.errors import StoreUnavailable
from tests.fakes.patient import PATIENCE_S, patient
from tests.integration.redis.cluster import Server, is_up

pytestmark = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)


class Ahead:
    """A clock that can be put forward."""

    def __init__(self) -> None:
        self.by = 0.0
        self._real = SystemClock()

    def now(self) -> float:
        return self._real.now() + self.by

    def unix(self) -> float:
        return self._real.unix() + self.by


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own."""
    binary = installed_binaries().server
    assert binary is not None
    with ExitStack() as stack:
        one = Server(binary, tmp_path, cluster=False)
        one.start()
        stack.callback(one.kill)
        is_up(one)
        yield one


@asynccontextmanager
async def stores(
    server: Server, lineages: Lineages, user: str = ""
) -> AsyncIterator[tuple[Store, Store]]:
    """A plain way to a server, and one that is examined."""
    clock = SystemClock()
    url = f"redis://{user}127.0.0.1:{server.port}"
    plain, examined = patient(url), patient(url, examine=lineages.examine)
    async with (
        opened_store(plain, clock, "plain") as one,
        opened_store(examined, clock, "examined") as other,
    ):
        yield one, other


async def answers(store: Store) -> bool:
    try:
        await store.batch.call(("SET", uuid4().hex, "1", "EX", 60))
    except StoreUnavailable:
        return False
    return True


async def test_a_server_is_used_once_it_was_checked(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before, and then at once: not after the pause for which it was given up."""
    monkeypatch.setattr(breaker, "FIRST_PAUSE_S", 60.0)
    monkeypatch.setattr(breaker, "LONGEST_PAUSE_S", 60.0)
    clock = Ahead()
    lineages = Lineages(clock)
    async with stores(server, lineages) as (plain, examined):
        for _ in range(10):
            assert not await answers(examined)
        assert await answers(plain)
        (lineage,) = await lineages_of(plain)
        asking = asyncio.create_task(lineages.keep_asking(plain, examined))
        await plain.batch.call(("HSET", CHECKED, lineage, 1))
        async with asyncio.timeout(PATIENCE_S):
            while not await answers(examined):
                await asyncio.sleep(0.02)
        asking.cancel()


async def test_where_nobody_checks_a_worker_goes_on_after_a_while(server: Server) -> None:
    """And says so."""
    clock = Ahead()
    lineages = Lineages(clock)
    with capture_logs() as logs:
        async with stores(server, lineages) as (plain, examined):
            asking = asyncio.create_task(lineages.keep_asking(plain, examined))
            assert not await answers(examined)
            clock.by = GRACE_S + 0.1
            async with asyncio.timeout(20):
                while not await answers(examined):
                    await asyncio.sleep(0.02)
            asking.cancel()
    assert "redis_not_compared_with_archive" in [log["event"] for log in logs]


async def test_what_was_there_at_the_start_is_trusted_from_the_first_request(
    server: Server,
) -> None:
    """The keeper had looked; nobody is refused for a moment."""
    lineages = Lineages(SystemClock())
    async with stores(server, lineages) as (plain, examined):
        (lineage,) = await lineages_of(plain)
        await plain.batch.call(("HSET", CHECKED, lineage, 1))
        await lineages.begin(plain)
        assert await answers(examined)


async def test_a_replica_is_refused_though_it_has_its_primarys_id(server: Server) -> None:
    """It could be promoted while a connection to it is open."""
    lineages = Lineages(SystemClock())
    async with stores(server, lineages) as (plain, examined):
        (lineage,) = await lineages_of(plain)
        await plain.batch.call(("HSET", CHECKED, lineage, 1))
        await lineages.begin(plain)
        with server.client() as client:
            client.replicaof("127.0.0.1", 1)
        with pytest.raises(StoreUnavailable):
            await examined.batch.call(("GET", "key"))


async def test_a_user_that_may_not_ask_is_let_on(server: Server) -> None:
    """Some providers hide it; then a roll-back is recognised a moment later, as ever."""
    with server.client() as client:
        client.acl_setuser("app", enabled=True, nopass=True, keys=["*"], categories=["+@all"],
                           commands=["-info"])  # fmt: skip
    async with stores(server, Lineages(SystemClock()), "app:x@") as (_, examined):
        assert await answers(examined)


async def test_a_restart_is_another_lineage(server: Server) -> None:
    """So is a promotion: both may have lost the last moments."""
    lineages = Lineages(SystemClock())
    async with stores(server, lineages) as (plain, _):
        before = await lineages_of(plain)
    await asyncio.to_thread(server.stop)
    server.start()
    await asyncio.to_thread(is_up, server)
    async with stores(server, lineages) as (plain, _):
        assert await lineages_of(plain) != before
