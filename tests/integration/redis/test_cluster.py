"""A cluster as the gateway speaks to it: who is asked what, and what a lost node costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis.crc import key_slot
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from app.adapters.archive.archive import Archive
from app.adapters.archive.copier import CopyPlan, LedgerCopier, PartlyUnavailable
from app.adapters.archive.ledger_streams import LedgerStreams, key_of
from app.adapters.archive.seeding import Seeder, seeding
from app.adapters.clock import SystemClock
from app.adapters.redis.account import UNSEEDED, AccountScript, account_key
from app.adapters.redis.batch import Batch, NotSent
from app.adapters.redis.breaker import FAILURES_TO_OPEN
from app.adapters.redis.cluster import BOOT_S
from app.adapters.redis.embedded_binaries import installed_binaries
from app.adapters.redis.holds import SharedHoldBoard
from app.adapters.redis.store import Place, Store, opened_store
from app.domain.identity.tenant import Tenant
from app.domain.ledger.accounts_of import Balances, balances
from app.domain.ledger.ledger_row import encode
from app.domain.quota.calendar import CalendarWindow
from app.errors import StoreUnavailable
from tests.fakes.ledger_rows import ledger_row
from tests.fakes.patient import FROZEN_AFTER_S, PATIENCE_S
from tests.integration.redis.cluster import NODES, SLOTS, Cluster, Server, pongs

pytestmark = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)
CLOCK = SystemClock()


@asynccontextmanager
async def opened(url: str, *, patience_s: float = PATIENCE_S) -> AsyncIterator[Store]:
    """A way to the cluster with more patience than a busy machine needs."""
    async with opened_store(Place(url, cluster=True, patience_s=patience_s), CLOCK) as store:
        yield store


def names(cluster: Cluster) -> dict[Server, str]:
    """A new key on each server."""
    mark = uuid4().hex
    return {server: cluster.name_on(server, mark) for server in cluster.servers}


async def until(condition: Callable[[], object], *, within_s: float = PATIENCE_S) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


async def answers(batch: Batch, key: str) -> bool:
    """Whether the node of this key does."""
    try:
        await batch.call(("GET", key))
    except StoreUnavailable:
        return False
    return True


async def takes_answers(batch: Batch, key: str, *, within_s: float = PATIENCE_S) -> None:
    async with asyncio.timeout(within_s):
        while not await answers(batch, key):
            await asyncio.sleep(0.02)


async def test_each_command_goes_to_the_node_of_its_key(redis_cluster: Cluster) -> None:
    """A crowd's commands over all nodes at once, everybody's own answer, from the right node."""
    keys = [f"{{{uuid4().hex}}}" for _ in range(200)]
    async with opened(redis_cluster.url) as store:
        await asyncio.gather(*(store.batch.call(("SET", key, key, "EX", 60)) for key in keys))
        found = await asyncio.gather(*(store.batch.call(("GET", key)) for key in keys))
    assert found == [key.encode() for key in keys]
    for server in redis_cluster.servers:
        with server.client() as client:
            own = [key for key in keys if redis_cluster.server_of(key) is server]
            assert all(client.get(key) == key for key in own)


async def test_a_frozen_node_costs_its_own_keys_an_operations_time(
    redis_cluster: Cluster,
) -> None:
    """The others' calls are answered as ever; its own are not even sent after a few."""
    frozen, *others = redis_cluster.servers
    keys = names(redis_cluster)
    async with opened(redis_cluster.url, patience_s=FROZEN_AFTER_S) as store:
        for key in keys.values():
            await takes_answers(store.batch, key)
        with frozen.frozen():
            told: list[type[StoreUnavailable]] = []
            for _ in range(20):
                with pytest.raises(StoreUnavailable) as lost:
                    await store.batch.call(("GET", keys[frozen]))
                told.append(lost.type)
                for other in others:
                    assert await answers(store.batch, keys[other])
            assert told[0] is StoreUnavailable
            assert set(told[FAILURES_TO_OPEN:]) == {NotSent}
        await takes_answers(store.batch, keys[frozen])


@contextmanager
def moved(cluster: Cluster, slot: int, to: Server) -> Iterator[None]:
    """A slot that holds no key is given to another server, and afterwards back."""
    home = cluster.servers[slot * NODES // SLOTS]
    _give(cluster, slot, home, to)
    try:
        yield
    finally:
        _give(cluster, slot, to, home)


def _give(cluster: Cluster, slot: int, giver: Server, taker: Server) -> None:
    """Who takes over what it imports has a newer claim, which gossip of the older one leaves be."""
    with giver.client() as client:
        from_ = client.execute_command("CLUSTER MYID")
    with taker.client() as client:
        id_ = client.execute_command("CLUSTER MYID")
        client.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", from_)
    for server in (taker, *(each for each in cluster.servers if each is not taker)):
        with server.client() as client:
            client.execute_command("CLUSTER SETSLOT", slot, "NODE", id_)


def asked_for_slots(servers: Iterable[Server]) -> int:
    """How often the servers were asked who has which slot."""
    total = 0
    for server in servers:
        with server.client() as client:
            stats = client.info("commandstats").get("cmdstat_cluster|slots", {"calls": 0})
            total += stats["calls"]
    return total


async def test_a_moved_slot_is_followed(redis_cluster: Cluster) -> None:
    """At once by whoever asks; and everybody asks the cluster for the rest once, not each."""
    first, second, _ = redis_cluster.servers
    key = redis_cluster.name_in_empty_slot(first, uuid4().hex)
    async with opened(redis_cluster.url) as store:
        assert await store.batch.call(("GET", key)) is None
        with moved(redis_cluster, key_slot(key.encode()), second):
            asked = asked_for_slots(redis_cluster.servers)
            calls = (store.batch.call(("INCR", key)) for _ in range(100))
            assert sorted(await asyncio.gather(*calls)) == list(range(1, 101))
            await asyncio.sleep(1.5)
            assert asked_for_slots(redis_cluster.servers) - asked <= 3
            with second.client() as there:
                assert there.delete(key) == 1
        assert await store.batch.call(("GET", key)) is None


async def test_a_slot_that_is_moved_key_by_key_is_lost_meanwhile(redis_cluster: Cluster) -> None:
    """A script would find some of an account here and some there, and take it for a new one."""
    first, second, _ = redis_cluster.servers
    key = redis_cluster.name_on(first, uuid4().hex)
    slot = key_slot(key.encode())
    async with opened(redis_cluster.url) as store:
        assert await answers(store.batch, key)
        with first.client() as here, second.client() as there:
            source, target = (each.execute_command("CLUSTER MYID") for each in (here, there))
            there.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", source)
            here.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", target)
            assert not await answers(store.batch, key)
            here.execute_command("CLUSTER SETSLOT", slot, "STABLE")
            there.execute_command("CLUSTER SETSLOT", slot, "STABLE")
        assert await answers(store.batch, key)


async def test_a_node_that_died_is_used_again_when_it_is_back(redis_cluster: Cluster) -> None:
    """The others are not asked more for it, and each change is told once."""
    lost, *others = redis_cluster.servers
    keys = names(redis_cluster)
    with capture_logs() as logs:
        async with opened(redis_cluster.url) as store:
            for key in keys.values():
                await takes_answers(store.batch, key)
            lost.kill()
            for _ in range(20):
                assert not await answers(store.batch, keys[lost])
                for other in others:
                    assert await answers(store.batch, keys[other])
            asked = asked_for_slots(others)
            await asyncio.sleep(1)
            assert asked_for_slots(others) - asked <= 5
            lost.start()
            await takes_answers(store.batch, keys[lost])
    told = [(log["event"], log["store"]) for log in logs if log["event"].startswith("store_")]
    name = f"redis 127.0.0.1:{lost.port}"
    assert told == [("store_lost", name), ("store_back", name)]


async def test_a_start_without_a_cluster_is_bounded(tmp_path: Path) -> None:
    """It begins without, refuses at once, and joins when there is one."""
    binary = installed_binaries().server
    assert binary is not None
    server = Server(binary, tmp_path)
    try:
        began = time.monotonic()
        async with opened(f"redis://127.0.0.1:{server.port}") as store:
            assert time.monotonic() - began < BOOT_S + PATIENCE_S / 2
            began = time.monotonic()
            assert not await answers(store.batch, "key")
            assert time.monotonic() - began < PATIENCE_S / 2
            server.start()
            with server.client() as client:
                await until(lambda: _added(client))
                await takes_answers(store.batch, "key")
    finally:
        server.kill()


def _added(client: Any) -> bool:
    """Whether the server has all slots now."""
    with suppress(RedisError):
        return bool(client.execute_command("CLUSTER ADDSLOTSRANGE", 0, SLOTS - 1))
    return False


async def test_a_server_that_is_no_cluster_is_told(redis_url: str, tmp_path: Path) -> None:
    """What is wrong with the configuration is in the log, once."""
    binary = installed_binaries().server
    assert binary is not None
    server = Server(binary, tmp_path, cluster=False)
    server.start()
    try:
        with server.client() as client:
            await until(lambda: pongs(client))
        with capture_logs() as logs:
            async with opened(f"redis://127.0.0.1:{server.port}") as store:
                assert not await answers(store.batch, "key")
                await asyncio.sleep(1)
    finally:
        server.kill()
    (told,) = [log for log in logs if log["event"] == "cluster_not_read"]
    assert "cluster support disabled" in told["error"]


class TestHolds:
    """Replicas hold together, on whichever node they listen and wherever a hold is kept."""

    async def test_others_learn_at_once(self, redis_cluster: Cluster) -> None:
        """Of holds on every node, by messages and not by reading."""
        held = list(names(redis_cluster).values())
        async with boards(redis_cluster, 2) as (first, second):
            began = CLOCK.now()
            for name in held:
                first.hold(name, began + 60)
            await until(lambda: set(held) <= set(second.holds()))
            assert began + 59.9 < second.holds()[held[0]] <= CLOCK.now() + 60.1

    async def test_a_new_replica_reads_what_is_held(self, redis_cluster: Cluster) -> None:
        """From all nodes."""
        held = list(names(redis_cluster).values())
        async with boards(redis_cluster, 1) as (first,):
            for name in held:
                first.hold(name, CLOCK.now() + 60)
            async with boards(redis_cluster, 1, names=held) as (second,):
                await until(lambda: set(held) <= set(second.holds()))

    async def test_a_lost_node_does_not_keep_the_others(self, redis_cluster: Cluster) -> None:
        """Holds of other nodes are told and read while one is away, its own when it is back."""
        held = names(redis_cluster)
        lost, *others = redis_cluster.servers
        async with boards(redis_cluster, 2, names=list(held.values())) as (first, second):
            lost.kill()
            try:
                for name in held.values():
                    first.hold(name, CLOCK.now() + 60)
                kept = {held[other] for other in others}
                await until(lambda: kept <= set(second.holds()))
                assert held[lost] not in second.holds()
            finally:
                lost.start()
            await until(lambda: held[lost] in second.holds())


@asynccontextmanager
async def boards(
    cluster: Cluster, count: int, names: Collection[str] = ()
) -> AsyncIterator[list[SharedHoldBoard]]:
    """Boards of as many replicas, all of which listen already."""
    before = listening(cluster)
    async with AsyncExitStack() as scope:
        made = []
        for _ in range(count):
            store = await scope.enter_async_context(opened(cluster.url))
            board = SharedHoldBoard(store, clock=CLOCK, deployments=lambda: names)
            made.append(await scope.enter_async_context(board))
        await until(lambda: listening(cluster) >= before + count)
        yield made


def listening(cluster: Cluster) -> int:
    """How many subscriptions to holds there are."""
    total = 0
    for server in cluster.servers:
        with server.client() as client:
            total += client.pubsub_numsub("spillgate:holds")[0][1]
    return total


class TestKeepersOfTheArchive:
    """Copying and seeding go on for the others while a node is lost, and make up for it."""

    async def test_rows_of_other_nodes_are_copied(
        self, redis_cluster: Cluster, tmp_path: Path
    ) -> None:
        """Those of the lost node when it is back: it kept them."""
        tenants = names(redis_cluster)
        lost, *others = redis_cluster.servers
        plan = CopyPlan(tenants=lambda: list(tenants.values()))
        for server, tenant in tenants.items():
            add_row(server, tenant)
        async with opened(redis_cluster.url) as store:
            with Archive.open(tmp_path, CLOCK) as archive:
                copier = LedgerCopier(LedgerStreams(store.batch), archive, clock=CLOCK, plan=plan)
                lost.kill()
                try:
                    with pytest.raises(PartlyUnavailable):
                        await copier.copy()
                    assert [len(list(archive.rows(tenants[other]))) for other in others] == [1, 1]
                    assert list(archive.rows(tenants[lost])) == []
                finally:
                    lost.start()
                await takes_answers(store.batch, tenants[lost])
                assert not await copier.copy()
                assert len(list(archive.rows(tenants[lost]))) == 1

    async def test_accounts_on_other_nodes_are_seeded(self, redis_cluster: Cluster) -> None:
        """Lost ones that somebody found; a new one of the lost node when it is back."""
        used = redis_cluster.server_of(UNSEEDED)
        lost, other = (each for each in redis_cluster.servers if each is not used)
        first, second = names(redis_cluster), names(redis_cluster)
        tenants = {name: Tenant(name) for name in first.values()}
        async with opened(redis_cluster.url) as store:
            seeder = Seeder(store.batch, NoHistory(), CLOCK, lambda: tenants)
            async with seeding(seeder):
                assert seeder.seeded_total == 3
                lost.kill()
                try:
                    tenants[second[lost]] = Tenant(second[lost])
                    await store.batch.call(("DEL", f"{account_key(first[other])}:generation"))
                    await AccountScript(store.batch).report_unseeded(first[other])
                    await until(lambda: seeder.seeded_total == 4)
                finally:
                    lost.start()
                await until(lambda: seeder.seeded_total == 5)


class NoHistory:
    """An archive of tenants that never spent anything."""

    async def balances(
        self, tenant: str, days: Collection[CalendarWindow], months: Collection[CalendarWindow]
    ) -> Balances:
        return balances([], [day.name for day in days], [month.name for month in months])


def add_row(server: Server, tenant: str) -> None:
    """As the tenant's account does."""
    with server.client() as client:
        client.xadd(key_of(tenant), {"row": encode(ledger_row("1", tenant=tenant)), "mark": ""})
