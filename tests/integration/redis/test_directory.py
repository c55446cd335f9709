"""The directory on a real Redis: shared, chained, and kept through whatever happens to Redis."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from app.adapters.clock import SystemClock
from app.adapters.redis.directory import DirectoryOptions, RedisDirectory, Seeds
from app.adapters.redis.directory_script import DirectoryScript, Known
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries
from app.domain.identity.audit import verify_audit
from app.domain.identity.directory import (
    Actor,
    CacheEntry,
    Change,
    DeploymentEntry,
    EntraIds,
    Entry,
    EntryKind,
    InForce,
    KeyEntry,
    Role,
    TenantEntry,
)
from app.domain.identity.directory_change import creation
from app.errors import AlreadyMapped, StoreUnavailable, VersionConflict
from tests.fakes.changed import replace
from tests.fakes.patient import FROZEN_AFTER_S, PATIENCE_S, patient_batch, patient_client

pytestmark = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)
CLOCK = SystemClock()
ANNA = Actor("anna", Role.OWNER, "req-1")
SEARCH = TenantEntry("search")


def key_of(tenant: str, name: str = "k1") -> KeyEntry:
    return KeyEntry(name, tenant, "ab" * 32)


def seeded(*entries: Entry) -> Seeds:
    return lambda _pepper: entries


def disabling(tenant: TenantEntry, expected: int | None = None) -> Change:
    return Change(EntryKind.TENANT, tenant.name, replace(tenant, disabled=True), expected)


@dataclass(slots=True)
class Cluster:
    """Workers on one directory, opened as a test asks for them."""

    url: str
    redis: Redis
    opened: AsyncExitStack
    name: str
    pid: int = 0

    async def worker(self, *seeds: Entry, pepper: bytes | None = None) -> RedisDirectory:
        enter = self.opened.enter_async_context
        client = await enter(patient_client(self.url))
        patience_s = FROZEN_AFTER_S if self.pid else PATIENCE_S
        batch = await enter(patient_batch(client, CLOCK, patience_s=patience_s))
        options = DirectoryOptions(name=self.name, pepper=pepper)
        return await enter(RedisDirectory(batch, CLOCK, seeded(*seeds), options))

    def key(self, name: str) -> str:
        return f"spillgate:{{{self.name}}}:{name}"

    async def generation(self) -> str:
        found = await self.redis.hget(self.key("head"), "generation")
        assert isinstance(found, bytes)
        return found.decode()

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


@pytest.fixture
async def cluster(redis_url: str) -> AsyncIterator[Cluster]:
    """A directory of its own on the shared server."""
    async with Redis.from_url(redis_url) as redis, AsyncExitStack() as opened:
        yield Cluster(redis_url, redis, opened, uuid4().hex)


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[Cluster]:
    """A directory on a server of its own, which may be frozen and flushed."""
    async with (
        embedded_redis(tmp_path) as server,
        Redis.from_url(server.url) as redis,
        AsyncExitStack() as opened,
    ):
        pid = int((await redis.info("server"))["process_id"])
        one = Cluster(server.url, redis, opened, "directory", pid)
        try:
            yield one
        finally:
            one.thaw()


async def until(condition: Callable[[], bool], *, within_s: float = PATIENCE_S) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.005)


async def patiently(worker: RedisDirectory, change: Change) -> InForce:
    """Make a change as soon as Redis is back."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with suppress(StoreUnavailable):
                return await worker.change([change], ANNA)
            await asyncio.sleep(0.05)


async def until_created(worker: RedisDirectory, tenant: str) -> None:
    """Wait until the log says that this tenant was created."""
    async with asyncio.timeout(PATIENCE_S):
        while tenant not in {record.id for record in await worker.audit(0, 100)}:
            await asyncio.sleep(0.01)


class TestChanges:
    """One step, on every worker, or nothing."""

    async def test_a_change_is_in_force_on_both_when_it_answers(self, cluster: Cluster) -> None:
        """The answer says on how many; the other worker has it by then."""
        first, second = await cluster.worker(), await cluster.worker()
        made = await first.change([creation(SEARCH), creation(key_of("search"))], ANNA)
        assert (made.workers, made.live) == (2, 2)
        assert second.current == first.current
        assert second.current.tenants == {"search": SEARCH}
        assert second.current.keys == {"k1": key_of("search")}
        assert second.current.version == made.version

    async def test_one_conflict_undoes_all(self, cluster: Cluster) -> None:
        """The other changes of the step are not made, and nothing is logged."""
        first = await cluster.worker()
        made = await first.change([creation(SEARCH)], ANNA)
        changes = [creation(TenantEntry("sales")), disabling(SEARCH, expected=7)]
        with pytest.raises(VersionConflict, match="version 1, not at version 7"):
            await first.change(changes, ANNA)
        assert first.current.version == made.version
        assert len(await first.audit(0, 10)) == 1

    async def test_of_two_that_change_the_same_version_one_wins(self, cluster: Cluster) -> None:
        """Whatever each of them has seen of the other."""
        workers = [await cluster.worker() for _ in range(3)]
        await workers[0].change([creation(SEARCH)], ANNA)
        outcomes = await asyncio.gather(
            *(each.change([disabling(SEARCH, expected=1)], ANNA) for each in workers),
            return_exceptions=True,
        )
        conflicts = [each for each in outcomes if isinstance(each, VersionConflict)]
        assert len(conflicts) == 2
        assert workers[1].current.tenants["search"] == replace(SEARCH, disabled=True, version=2)

    async def test_a_crowd_of_changes_loses_none(self, cluster: Cluster) -> None:
        """Each is made once, and the log tells of all of them in one chain.

        They are fewer than the times that one is tried: each failure is another's success.
        """
        workers = [await cluster.worker() for _ in range(3)]
        names = [f"t{number}" for number in range(18)]
        await asyncio.gather(
            *(
                workers[number % 3].change([creation(TenantEntry(name))], ANNA)
                for number, name in enumerate(names)
            )
        )
        assert set(workers[0].current.tenants) == set(names)
        records = await workers[0].audit(0, 100)
        assert sorted(record.id for record in records) == sorted(names)
        assert verify_audit(records) == []

    async def test_deleting_reaches_the_others(self, cluster: Cluster) -> None:
        """What is gone is gone everywhere."""
        first, second = await cluster.worker(SEARCH, key_of("search")), await cluster.worker()
        await first.change([Change(EntryKind.KEY, "k1", None)], ANNA)
        assert second.current.keys == {}

    async def test_a_worker_that_is_gone_is_not_waited_for(self, cluster: Cluster) -> None:
        """It said so when it left."""
        first = await cluster.worker()
        async with AsyncExitStack() as opened:
            await replace(cluster, opened=opened).worker()
        started = CLOCK.now()
        made = await first.change([creation(SEARCH)], ANNA)
        assert (made.workers, made.live) == (1, 1)
        assert CLOCK.now() - started < 1.0

    async def test_more_than_a_page_is_read_whole(self, cluster: Cluster) -> None:
        """By a worker that starts, and by one that follows."""
        first = await cluster.worker()
        for start in range(0, 2500, 500):
            crowd = [creation(key_of("t", f"k{start + number}")) for number in range(500)]
            await first.change(crowd, ANNA)
        late = await cluster.worker()
        assert len(first.current.keys) == 2500
        assert late.current == first.current

    async def test_an_entry_that_cannot_be_read_changes_nothing(self, cluster: Cluster) -> None:
        """What is in force stays; everything else goes on."""
        first, second = await cluster.worker(SEARCH), await cluster.worker()
        await cluster.redis.hset(cluster.key("entries"), "tenant:search", "{")
        await cluster.redis.zadd(cluster.key("changed"), {"tenant:search": 9})
        await first.change([creation(TenantEntry("sales"))], ANNA)
        assert set(second.current.tenants) == {"search", "sales"}


class TestAudit:
    """A line for each change, which nobody alters unseen."""

    async def test_the_log_tells_of_everything_and_is_whole(self, cluster: Cluster) -> None:
        """Who, what, and hashes of before and after; across workers one chain."""
        first, second = await cluster.worker(SEARCH), await cluster.worker()
        await second.change([disabling(SEARCH)], ANNA)
        await first.change([Change(EntryKind.TENANT, "search", None)], ANNA)
        records = await first.audit(0, 10)
        assert [(each.number, each.actor, each.action) for each in records] == [
            (1, "config", "created"),
            (2, "anna", "changed"),
            (3, "anna", "deleted"),
        ]
        assert [each.before for each in records] == ["", records[0].after, records[1].after]
        assert verify_audit(records) == []
        assert (await first.audit_end()) == (3, records[-1].hash)
        assert await first.audit(1, 1) == records[1:2]

    async def test_tampering_in_redis_is_found(self, cluster: Cluster) -> None:
        """A record that says another name afterwards."""
        first = await cluster.worker(SEARCH)
        await first.change([disabling(SEARCH)], ANNA)
        records = await first.audit(0, 10)
        forged = [replace(records[0], actor="nobody"), records[1]]
        await cluster.redis.delete(cluster.key("audit"))
        for record in forged:
            await cluster.redis.xadd(
                cluster.key("audit"), {"record": msgspec.json.encode(record)}, f"{record.number}-0"
            )
        assert verify_audit(await first.audit(0, 10)) == ["record 1: its content was altered"]


class TestSeeds:
    """What the configuration wants there to be."""

    async def test_seeds_are_created_once_and_not_overwritten(self, cluster: Cluster) -> None:
        """Workers that start together create them once; a later start leaves what was changed."""
        await asyncio.gather(*(cluster.worker(SEARCH, key_of("search")) for _ in range(4)))
        first = await cluster.worker(SEARCH)
        await first.change([disabling(SEARCH)], ANNA)
        late = await cluster.worker(SEARCH, key_of("search"))
        assert late.current.tenants["search"].disabled
        records = await late.audit(0, 10)
        assert [each.actor for each in records] == ["config", "config", "anna"]

    async def test_a_seed_that_left_the_configuration_stays(self, cluster: Cluster) -> None:
        """And new ones are created while running."""
        first = await cluster.worker(SEARCH)
        await first.seed(seeded(TenantEntry("sales")))
        assert set(first.current.tenants) == {"search", "sales"}

    async def test_a_seed_does_not_take_another_tenants_entra_id(self, cluster: Cluster) -> None:
        """It is created without, however it comes about that the configuration still says so."""
        first = await cluster.worker(replace(SEARCH, entra=EntraIds(("a1",), groups=("g1",))))
        await first.seed(seeded(TenantEntry("sales", entra=EntraIds(("a1", "a2")))))
        assert first.current.tenants["search"].entra == EntraIds(("a1",), groups=("g1",))
        assert first.current.tenants["sales"].entra == EntraIds(("a2",))
        other = await cluster.worker()
        assert other.current.tenants == first.current.tenants

    async def test_two_workers_cannot_both_give_an_entra_id_away(self, cluster: Cluster) -> None:
        """At the same moment, to different tenants: one is told of the other."""
        first = await cluster.worker(SEARCH, TenantEntry("sales"))
        second = await cluster.worker()
        mapped = EntraIds(objects=("o1",))
        changes = [
            worker.change([Change(EntryKind.TENANT, name, TenantEntry(name, entra=mapped))], ANNA)
            for worker, name in ((first, "search"), (second, "sales"))
        ]
        outcomes = await asyncio.gather(*changes, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {AlreadyMapped, InForce}

    async def test_all_workers_have_one_pepper(self, cluster: Cluster) -> None:
        """Made once; a configured one is not stored."""
        first, second = await asyncio.gather(cluster.worker(), cluster.worker())
        assert first.in_force.pepper == second.in_force.pepper
        assert len(first.in_force.pepper) == 32
        configured = await cluster.worker(pepper=b"given")
        assert configured.in_force.pepper == b"given"
        assert await cluster.redis.get(cluster.key("pepper")) == first.in_force.pepper


class TestWithoutRedis:
    """Keys keep working from memory, and are not lost."""

    async def test_a_start_without_redis_has_the_seeds(self, own: Cluster) -> None:
        """Soon, and everything else once Redis is back."""
        first = await own.worker(SEARCH)
        await first.change([creation(TenantEntry("sales"))], ANNA)
        own.freeze()
        started = CLOCK.now()
        late = await own.worker(SEARCH)
        assert CLOCK.now() - started < 2.0
        assert set(late.current.tenants) == {"search"}
        with pytest.raises(StoreUnavailable):
            await late.change([disabling(SEARCH)], ANNA)
        own.thaw()
        await until(lambda: set(late.current.tenants) == {"search", "sales"})
        assert late.in_force.pepper == first.in_force.pepper

    async def test_while_redis_is_frozen_what_was_known_holds(self, own: Cluster) -> None:
        """For every worker; changes are refused, and work again afterwards."""
        first, second = await own.worker(SEARCH), await own.worker()
        before = first.current
        own.freeze()
        with pytest.raises(StoreUnavailable):
            await first.change([disabling(SEARCH)], ANNA)
        await asyncio.sleep(0.6)  # some looks in vain
        assert first.current == second.current == before
        own.thaw()
        made = await patiently(first, disabling(SEARCH))
        assert (made.workers, made.live) == (2, 2)
        assert second.current.tenants["search"].disabled

    async def test_seeds_are_there_as_soon_as_an_empty_redis_is(self, own: Cluster) -> None:
        """Between the first read and their creation no caller is turned away."""
        own.freeze()
        late = await own.worker(SEARCH, key_of("search"))
        own.thaw()
        seen = {frozenset(late.current.keys)}
        async with asyncio.timeout(PATIENCE_S):
            while not await own.redis.exists(own.key("audit")):
                seen.add(frozenset(late.current.keys))
                await asyncio.sleep(0.001)
        await until(lambda: late.current.version > 0)
        assert seen == {frozenset({"k1"})}

    async def test_a_flushed_redis_gets_everything_back(self, own: Cluster) -> None:
        """From one worker's memory, told in one line; the pepper too, so that keys are valid."""
        first, second = await own.worker(SEARCH), await own.worker(SEARCH)
        await first.change([creation(key_of("search", "made"))], ANNA)
        known, pepper = first.current, first.in_force.pepper
        with capture_logs() as logs:
            await own.redis.flushall()
            await until(lambda: first.current.version > known.version)
            await until(lambda: second.current.version == first.current.version)
        assert [log["event"] for log in logs].count("directory_written_back") == 1
        for worker in (first, second, await own.worker(SEARCH)):
            assert (worker.current.tenants, worker.current.keys) == (known.tenants, known.keys)
            assert worker.in_force.pepper == pepper

        made = await second.change([disabling(SEARCH)], ANNA)
        assert made.workers == made.live == 3
        assert verify_audit(await first.audit(0, 10)) == ["record 3: the 2 before it are missing"]

    @pytest.mark.parametrize("minutes", [0, 2])
    async def test_a_worker_that_starts_on_a_flushed_redis_gives_way(
        self, own: Cluster, minutes: int
    ) -> None:
        """It knows the seeds alone, and others remember more; unless it has been used for long."""
        first = await own.worker(SEARCH)
        await first.change([creation(key_of("search", "made"))], ANNA)
        generation = await own.generation()
        memory = Known(first.current, generation, await first.audit_end())
        pepper = first.in_force.pepper
        await first.__aexit__(None, None, None)
        await own.redis.flushall()
        fresh = await own.worker(TenantEntry("sales"))
        assert set(fresh.current.tenants) == {"sales"}
        began = time.time() - 60 * minutes
        await own.redis.hset(own.key("head"), "began", str(int(began * 1000)))

        async with patient_client(own.url) as client, patient_batch(client, CLOCK) as batch:
            begun = await DirectoryScript(batch, "late").begin("another", memory, pepper)
        assert begun == (minutes == 0)
        if begun:
            await until(lambda: "made" in fresh.current.keys)
            assert fresh.in_force.pepper == pepper
            assert set(fresh.current.tenants) == {"search", "sales"}, "its seeds are not lost"
            await until_created(fresh, "sales")

    async def test_a_rolled_back_redis_gets_its_last_changes_back(self, own: Cluster) -> None:
        """As after a failover to a replica that had not heard of them."""
        first, second = await own.worker(SEARCH), await own.worker()
        saved = {
            name: await own.redis.dump(own.key(name)) for name in ("head", "entries", "changed")
        }
        await first.change([disabling(SEARCH)], ANNA)
        rolled_back = own.redis.pipeline()  # in one step, as a failover is
        for name, dumped in saved.items():
            assert isinstance(dumped, bytes)
            _ = rolled_back.restore(own.key(name), 0, dumped, replace=True)  # queued, not sent
        await rolled_back.execute()
        version = first.current.version
        await until(lambda: first.current.version > version)
        await until(lambda: second.current.version == first.current.version)
        assert second.current.tenants["search"].disabled


async def test_what_was_evicted_is_known_to_all_and_in_the_log(own: Cluster) -> None:
    """Each eviction is a line, whichever worker it was asked of."""
    first, second = await own.worker(SEARCH), await own.worker(SEARCH)
    for worker, model in ((first, "gpt-4o"), (second, "embed")):
        entry = CacheEntry("search", {"model": model})
        await worker.change([Change(EntryKind.CACHE, "search", entry)], ANNA)
    kept = CacheEntry("search", {"model": "embed"}, version=2)
    assert first.current.caches == second.current.caches == {"search": kept}
    log = [(each.kind, each.action) for each in await first.audit(0, 100)][-2:]
    assert log == [("cache", "created"), ("cache", "changed")]


async def test_what_operators_said_of_a_deployment_outlives_redis(own: Cluster) -> None:
    """It is on every worker, and written back with the rest after a flush."""
    first, second = await own.worker(SEARCH), await own.worker(SEARCH)
    drained = DeploymentEntry("ptu", draining=True, weights={"gpt-4o": 3.0})
    in_force = await first.change([creation(drained)], ANNA)
    assert (in_force.workers, in_force.live) == (2, 2)
    assert second.current.deployments == {"ptu": drained}

    before = await own.generation()
    await own.redis.flushall()
    async with asyncio.timeout(PATIENCE_S):
        while await own.redis.hget(own.key("head"), "generation") in {None, before.encode()}:
            await asyncio.sleep(0.01)
    assert (await own.worker()).current.deployments == {"ptu": drained}
