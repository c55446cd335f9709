"""A gateway under load while its Redis dies and a replica takes over, or it comes back itself.

Between the two is an endpoint that stays: what a name that moves, or Azure Managed Redis, is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from app.adapters.archive.reader import ArchiveReader
from app.adapters.redis.embedded_binaries import installed_binaries
from app.domain.ledger.ledger_row import CHARGED
from app.domain.quota.calendar import days_around
from tests.e2e.stack import stack
from tests.e2e.steady_load import RATE, Loaded
from tests.integration.redis.cluster import Server, is_up

pytestmark = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)
ENOUGH: Final = 100_000  # requests a day


class Endpoint:
    """An address that leads to one server now, and to another later."""

    def __init__(self, port: int) -> None:
        """`port` is where it leads; nowhere while it is 0."""
        self.leads_to = port
        self.port = 0
        self._connections: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, for as long as both of its ends have it."""
        self._connections.add(writer)
        with suppress(OSError):
            there = await asyncio.open_connection("127.0.0.1", self.leads_to)
            self._connections.add(there[1])
            await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))
        writer.transport.abort()

    def cut(self) -> None:
        """Lead nowhere, and end what there is."""
        self.leads_to = 0
        for writer in self._connections:
            writer.transport.abort()
        self._connections.clear()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()


@asynccontextmanager
async def endpoint(port: int) -> AsyncIterator[Endpoint]:
    """An address that leads to this port at first."""
    one = Endpoint(port)
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        one.cut()


@dataclass(slots=True)
class Site(Loaded):
    """A gateway behind a moving endpoint, and the servers that it may lead to."""

    door: Endpoint
    link: Endpoint
    primary: Server
    replica: Server
    tenant: str

    def committed(self, server: Server) -> int:
        """Requests of today by the tenant's account."""
        day = f"spillgate:{{{self.tenant}}}:day:{days_around(time.time())[1].name}"
        with server.client() as client:
            return int(client.hget(day, "committed:requests:tenant") or 0)

    def archived(self) -> int:
        """Charged requests by the tenant's archived ledger."""
        ledger = self.team.process.current.settings.ledger
        assert ledger is not None
        rows = ArchiveReader(Path(ledger.archive)).rows(self.tenant)
        return sum(row.kind in CHARGED for row in rows)

    async def is_archived(self, requests: int) -> None:
        """Wait until the archive has charged as many."""
        async with asyncio.timeout(20):
            while self.archived() < requests:
                await asyncio.sleep(0.05)

    async def agrees(self, server: Server) -> None:
        """Account, archive and the callers' own count come to be the same, and stay so."""
        assert await self.settled()
        await self.is_archived(self.admitted)
        await asyncio.sleep(1)  # whatever might be counted twice would be by now
        found = {"account": self.committed(server), "archive": self.archived()}
        assert found == {"account": self.admitted, "archive": self.admitted}

    async def promote(self) -> None:
        """What Sentinel or a provider does."""
        with self.replica.client() as client:
            client.replicaof("NO", "ONE")
        self.door.leads_to = self.replica.port

    async def hand_over(self) -> None:
        """As `promote`, by a primary that lives: it takes no writes until the replica has all."""
        with self.primary.client() as old, self.replica.client() as new:
            old.client_pause(20_000, all=False)
            async with asyncio.timeout(20):
                while _offset(old, "master_repl_offset") != _offset(new, "slave_repl_offset"):
                    await asyncio.sleep(0.01)
            await self.promote()
            old.replicaof("127.0.0.1", self.replica.port)
            old.client_unpause()


def _offset(client: Any, name: str) -> int:
    return int(client.info("replication")[name])


@contextmanager
def servers(directory: Path) -> Iterator[tuple[Server, Server]]:
    """Two servers that answer."""
    binary = installed_binaries().server
    assert binary is not None
    with ExitStack() as stack:
        pair = Server(binary, directory, cluster=False), Server(binary, directory, cluster=False)
        for server in pair:
            server.start()
            stack.callback(server.kill)
            is_up(server)
        yield pair


def is_in_step(replica: Server) -> None:
    """Wait until it has all that its primary had."""
    until = time.monotonic() + 10
    with replica.client() as client:
        while client.info("replication")["master_link_status"] != "up":
            assert time.monotonic() < until
            time.sleep(0.02)


@asynccontextmanager
async def site(directory: Path, **tenant: Any) -> AsyncIterator[Site]:
    """All of it, running; the tenant as configured."""
    with servers(directory) as (primary, replica):
        async with endpoint(primary.port) as door, endpoint(primary.port) as link:
            with replica.client() as client:
                await asyncio.to_thread(client.replicaof, "127.0.0.1", link.port)
            await asyncio.to_thread(is_in_step, replica)
            url = f"redis://127.0.0.1:{door.port}"
            # A server that is gone refuses at once; how long another may take is not tested.
            redis = {"redis": {"url": url, "operation_timeout_ms": 1000}, "tenant": tenant}
            async with stack(url, lambda suffix: _config(suffix) | redis) as team:
                (name,) = team.process.current.settings.tenants
                yield Site(team, door, link, primary, replica, name)


def _config(suffix: str) -> dict[str, Any]:
    paygo = {
        "kind": "paygo",
        "endpoint": "https://x.openai.azure.com",
        "model": "gpt-4o",
        "deployment": "gpt-4o",
        "tpm": 100_000_000,
        "auth": {"api_key": "k"},
    }
    return {
        "deployments": {f"paygo-{suffix}": paygo},
        "models": {"gpt-4o": {"tiers": [[f"paygo-{suffix}"]]}},
    }


@pytest.mark.long
@pytest.mark.parametrize("policy", ["local_share", "fail_closed", "fail_open"])
async def test_a_promoted_replica_takes_over(tmp_path: Path, policy: str) -> None:
    """Killed under load and replaced within a second: by each policy, and nothing is lost."""
    limits = {"requests_per_day": ENOUGH}
    async with site(tmp_path, redis_loss=policy, limits=limits) as where:
        before = await where.load(1)
        assert before.statuses == {200: RATE}
        load = asyncio.create_task(where.load(2))
        await asyncio.sleep(0.5)
        where.primary.kill()
        await asyncio.sleep(0.7)
        await where.promote()
        promoted = time.monotonic()
        during = await load
        healed = await where.heals()
        healed += time.monotonic() - promoted - healed
        after = await where.load(1)
        print(  # noqa: T201  # the figures, shown by -rP or -s
            f"{policy}: {dict(during.statuses)}, degraded {dict(during.degraded)}, "
            f"healed {healed:.1f} s after the promotion"
        )
        assert healed < 5
        assert after.statuses == {200: RATE}
        if policy == "fail_closed":
            assert 0 < during.statuses[503] == 2 * RATE - during.statuses[200]
        else:
            assert during.statuses == {200: 2 * RATE}
            assert set(during.degraded) == {policy}
        await where.agrees(where.replica)


async def test_lost_writes_are_known_before_a_budget_admits_again(tmp_path: Path) -> None:
    """The replica has not heard of the last requests, the archive has; the limit is kept."""
    limits = {"requests_per_day": 3 * RATE}
    async with site(tmp_path, redis_loss="fail_closed", limits=limits) as where:
        await where.load(1)
        assert await where.settled()
        where.link.cut()
        await where.load(1.5)
        assert await where.settled()
        await where.is_archived(where.admitted)
        lost = where.admitted - where.committed(where.replica)
        assert lost >= RATE
        where.primary.kill()
        await where.promote()
        promoted = time.monotonic()
        await where.load(2)
        await where.heals()
        await where.load(2)
        print(f"{lost} lost, {where.admitted} of {3 * RATE} admitted, "  # noqa: T201  # as above
              f"{time.monotonic() - promoted:.1f} s")  # fmt: skip
        assert where.admitted == 3 * RATE
        await where.agrees(where.replica)


async def test_a_demoted_primary_is_left(tmp_path: Path) -> None:
    """It keeps its connections and refuses to write; the next ones lead to the new primary."""
    limits = {"requests_per_day": ENOUGH}
    async with site(tmp_path, redis_loss="fail_open", limits=limits) as where:
        await where.load(0.5)
        load = asyncio.create_task(where.load(2))
        await asyncio.sleep(0.5)
        await where.hand_over()
        demoted = time.monotonic()
        during = await load
        await where.heals()
        assert time.monotonic() - demoted < 20
        assert during.statuses == {200: 2 * RATE}
        await where.agrees(where.replica)


@pytest.mark.long
async def test_a_server_that_is_stopped_and_started_goes_on(tmp_path: Path) -> None:
    """Nothing of its data is lost, and nothing is charged twice."""
    limits = {"requests_per_day": ENOUGH}
    async with site(tmp_path, limits=limits) as where:
        await where.load(1)
        load = asyncio.create_task(where.load(3))
        await asyncio.sleep(0.5)
        await asyncio.to_thread(where.primary.stop)
        await asyncio.sleep(1)
        where.primary.start()
        started = time.monotonic()
        during = await load
        await where.heals()
        print(f"stopped: {dict(during.statuses)}, degraded {dict(during.degraded)}, "  # noqa: T201  # as above
              f"healed {time.monotonic() - started:.1f} s after the start at most")  # fmt: skip
        assert during.statuses == {200: 3 * RATE}
        await where.agrees(where.primary)


@pytest.mark.long
async def test_a_server_that_comes_back_empty_is_seeded_before_it_admits(tmp_path: Path) -> None:
    """What was spent is known again from the archive: the limit is kept exactly."""
    limits = {"requests_per_day": 3 * RATE}
    async with site(tmp_path, redis_loss="fail_closed", limits=limits) as where:
        await where.load(2)
        assert await where.settled()
        await where.is_archived(where.admitted)
        where.primary.kill()
        where.primary.forget()
        where.primary.start()
        await where.load(1)
        await where.heals()
        await where.load(2)
        assert where.admitted == 3 * RATE
        await where.agrees(where.primary)
