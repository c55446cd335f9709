"""The copier on a real Redis, and on one that is away, frozen, flushed or rolled back."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from app.adapters.archive.archive import Archive
from app.adapters.archive.copier import MOST_ROWS, PAGES_MORE, CopyPlan, LedgerCopier
from app.adapters.archive.ledger_streams import LedgerStreams, key_of
from app.adapters.clock import SystemClock
from app.adapters.redis.batch import Batch, Command
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries
from app.adapters.redis.store import Place, opened_store
from app.domain.ledger.ledger_row import RowKind, encode
from app.errors import StoreUnavailable
from tests.fakes.ledger_rows import ledger_row
from tests.fakes.patient import FROZEN_AFTER_S, PATIENCE_S, patient_client

pytestmark = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)
CLOCK = SystemClock()
#: What the ledger's round trips have, seconds.
ROOT = Path(__file__).parents[3]


@dataclass
class World:
    """A Redis, an archive, and a copier between them that copies when it is told to."""

    client: Any  # redis-py's stubs tell every kind of answer as one union
    batch: Batch
    archive: Archive
    tenants: list[str]
    rolled_back: list[str] = field(default_factory=list)
    keep_s: float = 600.0
    keep_rows: int = 10_000

    @property
    def copier(self) -> LedgerCopier:
        """A new one each time: it knows nothing but what is in the archive."""

        async def told(tenant: str) -> None:
            self.rolled_back.append(tenant)

        plan = CopyPlan(lambda: self.tenants, told, self.keep_s, self.keep_rows)
        streams = LedgerStreams(self.batch)
        return LedgerCopier(streams, self.archive, clock=CLOCK, plan=plan)

    async def settle(self, tenant: str, *ids: int, mark: str = "") -> None:
        for start in range(0, len(ids), 500):
            pipeline = self.client.pipeline(transaction=False)
            for id_ in ids[start : start + 500]:
                row = encode(ledger_row(str(id_), tenant=tenant))
                _ = pipeline.xadd(key_of(tenant), {"row": row, "mark": mark})
            await pipeline.execute()

    async def copy(self) -> LedgerCopier:
        """Copy all there is; a busy machine's slow answers are no story of these tests."""
        copier, deadline = self.copier, CLOCK.now() + PATIENCE_S
        while True:
            try:
                if not await copier.copy():
                    return copier
            except StoreUnavailable:
                assert CLOCK.now() < deadline
                await asyncio.sleep(0.1)

    def ids(self, tenant: str) -> list[int]:
        return [int(row.id) for row in self.archive.rows(tenant)]

    async def length(self, tenant: str) -> int:
        return int(await self.client.xlen(key_of(tenant)))


@asynccontextmanager
async def world_of(
    url: str, directory: Path, *tenants: str, patience_s: float = PATIENCE_S
) -> AsyncIterator[World]:
    async with (
        patient_client(url) as client,
        opened_store(Place(url, patience_s=patience_s), CLOCK) as store,
    ):
        with Archive.open(directory / "archive", CLOCK) as archive:
            yield World(client, store.batch, archive, list(tenants))


@pytest.fixture
async def world(redis_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with world_of(redis_url, tmp_path, uuid4().hex, uuid4().hex) as made:
        yield made


@pytest.fixture
async def own_world(tmp_path: Path) -> AsyncIterator[World]:
    """On a server of its own, with the tenants a and b."""
    async with (
        embedded_redis(tmp_path) as server,
        world_of(server.url, tmp_path, "a", "b", patience_s=FROZEN_AFTER_S) as made,
    ):
        yield made


async def until(condition: Callable[[], bool], *, within_s: float) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


class TestCopying:
    """Every row, once."""

    async def test_rows_of_all_tenants_arrive_in_order(self, world: World) -> None:
        """Those that were there, and those that came later; repeating a round adds nothing."""
        first, second = world.tenants
        await world.settle(first, *range(3000))
        await world.settle(second, 1)
        copier = await world.copy()
        assert (copier.copied_total, copier.backlog) == (3001, 0)

        await world.settle(first, 3000)
        assert (await world.copy()).copied_total == 1
        assert (await world.copy()).copied_total == 0
        assert world.ids(first) == list(range(3001))
        assert world.ids(second) == [1]

    async def test_one_busy_tenant_among_many(self, world: World) -> None:
        """It does not wait for those that have nothing, nor they for it."""
        busy = world.tenants[0]
        world.tenants += [f"{busy}-{number}" for number in range(99)]
        await world.settle(busy, *range(9000))
        await world.settle(world.tenants[-1], 1)

        assert not await world.copier.copy()
        assert len(world.ids(busy)) == 9000
        assert world.ids(world.tenants[-1]) == [1]

    async def test_rows_come_a_few_at_a_time(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """While they are read from an answer of Redis nothing else happens in the process."""
        tenant, brought = world.tenants[0], [0]
        await world.settle(tenant, *range(1000))
        call = world.batch.call

        async def seen(command: Command, *, as_told: bool = False) -> Any:
            answer = await call(command, as_told=as_told)
            brought.append(len(answer) if command[0] == "XRANGE" else 0)
            return answer

        monkeypatch.setattr(world.batch, "call", seen)
        copier = await world.copy()
        assert (copier.copied_total, world.ids(tenant)) == (1000, list(range(1000)))
        assert max(brought) <= 129

    async def test_marks_of_the_account_are_in_the_row(self, world: World) -> None:
        """What the script noted beside a row is part of it in the archive."""
        tenant = world.tenants[0]
        for number, mark in enumerate(["", "late", "expired", "adopted"]):
            await world.settle(tenant, number, mark=mark)
        await world.copy()

        rows = list(world.archive.rows(tenant))
        assert [row.kind for row in rows] == [
            RowKind.SETTLED,
            RowKind.SETTLED,
            RowKind.EXPIRED,
            RowKind.MERGED,
        ]
        assert [row.flags for row in rows] == [(), ("late",), ("expired",), ()]
        assert rows[2].at == pytest.approx(time.time(), abs=60)

    async def test_a_row_nobody_can_read_stops_nothing(self, world: World) -> None:
        """It is kept as it is, and `verify` tells of it."""
        tenant = world.tenants[0]
        await world.client.xadd(key_of(tenant), {"row": b"\xff", "mark": "late"})
        await world.settle(tenant, 1)
        await world.copy()

        assert [problem.line for problem in world.archive.verify()] == [2]
        assert world.archive.last_position(tenant) != "0-0"

    async def test_a_key_of_another_type_concerns_one_tenant(self, world: World) -> None:
        """The others are copied; it is told once."""
        first, second = world.tenants
        await world.client.set(key_of(first), "text", ex=60)
        await world.settle(second, 1)
        with capture_logs() as logs:
            copier = world.copier
            await copier.copy()
            await copier.copy()

        assert world.ids(second) == [1]
        assert [log["event"] for log in logs] == ["ledger_stream_refused"]

    async def test_it_copies_by_itself(self, world: World) -> None:
        """Every moment, and what is there at its end."""
        tenant = world.tenants[0]
        async with world.copier as copier:
            await world.settle(tenant, 1, 2)
            await until(lambda: copier.copied_total == 2, within_s=PATIENCE_S)
            assert copier.behind_s < PATIENCE_S
            await world.settle(tenant, 3)
        assert world.ids(tenant) == [1, 2, 3]

    async def test_who_never_reaches_the_end_is_behind_by_what_is_left(self, world: World) -> None:
        """Not since it was last at the end: there may be more always, though it keeps up."""
        tenant, copier = world.tenants[0], world.copier
        half = MOST_ROWS * PAGES_MORE // 2
        await world.settle(tenant, *range(half))
        middle = CLOCK.now()
        await world.settle(tenant, *range(half + 2 * MOST_ROWS))
        assert await copier.copy()
        assert copier.copied_total > half
        assert copier.behind_s < CLOCK.now() - middle

    async def test_drain_archives_one_tenant(self, world: World) -> None:
        """Which is what whoever reseeds an account needs first."""
        first, second = world.tenants
        await world.settle(first, *range(5000))
        await world.settle(second, 1)
        await world.copier.drain(first)

        assert len(world.ids(first)) == 5000
        assert world.ids(second) == []


class TestTrimming:
    """Redis keeps what is not archived, and little else."""

    async def test_what_is_archived_and_old_goes(self, world: World) -> None:
        """All but the last archived entry, by which the stream is known again."""
        tenant = world.tenants[0]
        await world.settle(tenant, *range(500))
        await world.copy()
        world.keep_s = -1.0
        await world.settle(tenant, *range(500, 700))
        await world.copier.trim()

        assert await world.length(tenant) == 201
        await world.copy()
        assert world.ids(tenant) == list(range(700))
        assert world.rolled_back == []

    async def test_what_is_archived_and_too_much_goes(self, world: World) -> None:
        """Young rows too, where there are more than are to be kept; never unarchived ones."""
        tenant = world.tenants[0]
        await world.settle(tenant, *range(2000))
        await world.copy()
        world.keep_rows = 300
        await world.settle(tenant, *range(2000, 2200))
        await world.copier.trim()
        assert 300 <= await world.length(tenant) < 420

        world.keep_rows = 0
        await world.copier.trim()
        assert await world.length(tenant) >= 201
        await world.copy()
        assert world.ids(tenant) == list(range(2200))

    async def test_nothing_goes_before_it_is_archived(self, world: World) -> None:
        """However old and much it is."""
        tenant = world.tenants[0]
        world.keep_s, world.keep_rows = -1.0, 0
        await world.settle(tenant, *range(300))
        await world.copier.trim()

        assert await world.length(tenant) == 300


class TestLostRedis:
    """Frozen, away, flushed, rolled back."""

    async def test_a_frozen_server_bounds_each_round(self, own_world: World) -> None:
        """A round ends in time with an error; afterwards everything arrives."""
        pid = int((await own_world.client.info("server"))["process_id"])
        await own_world.settle("a", 1)
        await own_world.copy()
        await own_world.settle("a", 2)
        os.kill(pid, signal.SIGSTOP)
        try:
            for _ in range(3):
                started = CLOCK.now()
                with pytest.raises(StoreUnavailable):
                    await own_world.copier.copy()
                assert CLOCK.now() - started < PATIENCE_S
            started = CLOCK.now()
            async with own_world.copier:
                pass
            assert CLOCK.now() - started < PATIENCE_S
        finally:
            os.kill(pid, signal.SIGCONT)
        await own_world.copy()
        assert own_world.ids("a") == [1, 2]
        assert own_world.rolled_back == []

    async def test_a_server_away_is_told_once_and_awaited(self, tmp_path: Path) -> None:
        """Restarted, it still has its rows: that is no roll-back."""
        with capture_logs() as logs:
            async with (
                embedded_redis(tmp_path) as server,
                world_of(server.url, tmp_path, "a") as world,
            ):
                await world.settle("a", 1)
                await world.copy()
                await world.settle("a", 2)
            async with world_of(server.url, tmp_path, "a") as world:
                async with world.copier as copier:
                    await until(lambda: copier.behind_s > 1.2, within_s=PATIENCE_S)
                    async with embedded_redis(tmp_path):
                        await until(lambda: copier.copied_total == 1, within_s=PATIENCE_S)
                        await until(lambda: copier.behind_s < 1.0, within_s=PATIENCE_S)
                assert world.ids("a") == [1, 2]
                assert world.rolled_back == []

        events = [log["event"] for log in logs]
        assert events.count("ledger_not_copied") == 1
        assert events.count("ledger_copied_again") == 1

    async def test_a_flushed_server_is_recognised(self, own_world: World) -> None:
        """Once, also by a copier that is new; what comes after is copied."""
        await own_world.settle("a", 1, 2)
        await own_world.copy()
        await own_world.client.flushall()
        await own_world.copy()
        await own_world.copy()
        assert own_world.rolled_back == ["a"]

        await own_world.settle("a", 3)
        await own_world.settle("b", 4)
        await own_world.copy()
        assert (own_world.ids("a"), own_world.ids("b")) == ([1, 2, 3], [4])
        assert own_world.rolled_back == ["a"]
        assert own_world.archive.verify() == []

    async def test_a_flush_with_new_rows_is_recognised(self, own_world: World) -> None:
        """Although the new ids are greater than those that were archived."""
        await own_world.settle("a", 1)
        await own_world.copy()
        await own_world.client.flushall()
        await own_world.settle("a", 2)
        await own_world.copy()

        assert own_world.rolled_back == ["a"]
        assert own_world.ids("a") == [1, 2]

    async def test_a_replica_that_lagged_is_recognised(self, world: World) -> None:
        """It has the beginning of what was archived, then rows of its own: each is there once."""
        tenant = world.tenants[0]
        await world.settle(tenant, *range(1500))
        await world.copy()
        lost = (await world.client.xrevrange(key_of(tenant), count=3))[-1][0]
        for stream_id, _ in await world.client.xrange(key_of(tenant), min=lost):
            await world.client.xdel(key_of(tenant), stream_id)
        await world.settle(tenant, 7000, 7001)
        await world.copy()

        assert world.rolled_back == [tenant]
        assert world.ids(tenant) == [*range(1500), 7000, 7001]
        assert world.archive.verify() == []

    async def test_an_id_given_twice_is_two_rows(self, world: World) -> None:
        """A promoted replica whose clock is behind repeats ids: rows are told by their bytes."""
        tenant = world.tenants[0]
        key = key_of(tenant)
        for number in (1, 2, 3):
            row = encode(ledger_row(str(number), tenant=tenant))
            await world.client.xadd(key, {"row": row, "mark": ""}, id=f"{number}-0")
        await world.copy()
        kept = await world.client.xrange(key, max="1-0")
        await world.client.delete(key)
        await world.client.xadd(key, kept[0][1], id="1-0")
        row = encode(ledger_row("9", tenant=tenant))
        await world.client.xadd(key, {"row": row, "mark": ""}, id="2-0")
        await world.copy()

        assert world.ids(tenant) == [1, 2, 3, 9]

    async def test_who_is_told_may_fail(self, world: World) -> None:
        """The tenant's rows wait until it was told."""
        tenant = world.tenants[0]
        await world.settle(tenant, 1)
        await world.copy()
        await world.client.delete(key_of(tenant))
        await world.settle(tenant, 2)

        async def fails(_tenant: str) -> None:
            raise RuntimeError("not now")

        plan = CopyPlan(lambda: [tenant], fails)
        streams = LedgerStreams(world.batch)
        with pytest.raises(RuntimeError):
            await LedgerCopier(streams, world.archive, clock=CLOCK, plan=plan).copy()
        assert world.ids(tenant) == [1]

        await world.copy()
        assert (world.rolled_back, world.ids(tenant)) == ([tenant], [1, 2])


COPIER = """
import asyncio, os, signal, sys
from pathlib import Path
from app.adapters.archive.archive import Archive
from app.adapters.archive.copier import MOST_ROWS, PAGES_MORE, CopyPlan, LedgerCopier
from app.adapters.archive.ledger_streams import LedgerStreams
from app.adapters.clock import SystemClock
from app.adapters.redis.store import Place, opened_store

class Dying(LedgerStreams):
    async def trim(self, trims, *, keep_rows):
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    clock = SystemClock()
    async with opened_store(Place(sys.argv[1], patience_s=20), clock) as store:
        archive = Archive.open(Path(sys.argv[2]), clock)
        plan = CopyPlan(lambda: [sys.argv[3]], keep_s=-1.0, keep_rows=0)
        kind = Dying if sys.argv[4] == "trim" else LedgerStreams
        copier = LedgerCopier(kind(store.batch), archive, clock=clock, plan=plan)
        print("ready", flush=True)
        while True:
            await copier.copy()
            await copier.trim()

asyncio.run(main())
"""


class TestThroughput:
    """How fast a backlog is worked off."""

    @pytest.mark.long
    async def test_a_hundred_thousand_rows(self, own_world: World) -> None:
        """More than 5,000 rows a second on one core, and the loop is not held up for long."""
        for start in range(0, 100_000, 5000):
            await own_world.settle("a", *range(start, start + 5000))
        longest = 0.0
        started = last = CLOCK.now()
        copying = asyncio.create_task(own_world.copy())
        while not copying.done():
            await asyncio.sleep(0.001)
            longest, last = max(longest, CLOCK.now() - last), CLOCK.now()
        copied_s = CLOCK.now() - started
        started = CLOCK.now()
        assert len(own_world.ids("a")) == 100_000
        read_s = CLOCK.now() - started

        sys.stdout.write(
            f"100,000 rows: copied in {copied_s:.1f} s, read in {read_s:.1f} s; "
            f"the loop was held for {longest * 1000:.0f} ms at most\n"
        )
        assert copied_s < 20
        assert longest < 0.25


class TestKilled:
    """The copying process dies."""

    async def test_between_archiving_and_trimming(self, redis_url: str, tmp_path: Path) -> None:
        """What was archived is not archived again, and what was not is not lost."""
        await self.run(redis_url, tmp_path, when="trim", times=3)

    async def test_at_any_moment(self, redis_url: str, tmp_path: Path) -> None:
        """Killed while rows keep coming."""
        await self.run(redis_url, tmp_path, when="any", times=6)

    async def run(self, url: str, directory: Path, *, when: str, times: int) -> None:
        tenant, written = uuid4().hex, 0
        async with patient_client(url) as client:
            for turn in range(times):
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-c", COPIER, url, str(directory / "archive"), tenant, when,
                    stdout=PIPE, cwd=ROOT,
                )  # fmt: skip
                assert process.stdout
                writer = World(client, None, None, [tenant])  # type: ignore[arg-type]  # only writes
                await writer.settle(tenant, *range(written, written + 300))
                assert await process.stdout.readline()
                for step in range(20 + 7 * turn):
                    await writer.settle(tenant, written + 300 + step)
                written += 320 + 7 * turn
                if when == "any":
                    with suppress(ProcessLookupError):
                        process.kill()
                assert await process.wait() == -signal.SIGKILL

        async with world_of(url, directory, tenant) as world:
            await world.copy()
            assert world.ids(tenant) == list(range(written))
            assert world.rolled_back == []
            assert world.archive.verify() == []
