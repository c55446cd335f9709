"""Workers are kept, drained and let go, whatever becomes of each."""

from __future__ import annotations

import asyncio
import errno
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from app.adapters.workers.backoff import Backoff
from app.adapters.workers.messages import Drain, Failed, Hurry, News, Order, Ready, Reload
from app.adapters.workers.supervisor import MOST_MISSED, Supervisor, WorkerFailed

DEADLINE_S = 60.0


class FakeWorker:
    """A process that does what the test says."""

    def __init__(self, number: int, pid: int) -> None:
        self.number = number
        self.pid = pid
        self.told: list[Order] = []
        self.released = False
        loop = asyncio.get_running_loop()
        self._begun: asyncio.Future[News] = loop.create_future()
        self._ended: asyncio.Future[int] = loop.create_future()

    def serve(self) -> None:
        self._begun.set_result(Ready("metrics", "view"))

    def fail(self) -> None:
        self._begun.set_result(Failed("cannot listen", 2))
        self.end(2)

    def end(self, status: int) -> None:
        if not self._ended.done():
            self._ended.set_result(status)

    async def begun(self) -> News:
        return await asyncio.shield(self._begun)

    async def ended(self) -> int:
        return await asyncio.shield(self._ended)

    def tell(self, order: Order) -> None:
        self.told.append(order)

    def kill(self) -> None:
        self.end(-signal.SIGKILL)

    async def release(self) -> None:
        self.released = True
        self.end(0)


@dataclass(frozen=True)
class Pauses(Backoff):
    """Waits for nothing, and notes after how many failures."""

    asked: list[int] = field(default_factory=list)

    def pause_s(self, failures: int) -> float:
        self.asked.append(failures)
        return 0.0


@dataclass
class Started:
    """All workers in the order of their start, and what the watcher heard of them."""

    workers: list[FakeWorker] = field(default_factory=list)
    heard: list[tuple[str, int]] = field(default_factory=list)
    pauses: Pauses = field(default_factory=lambda: Pauses(lambda: 0.0))
    may_start: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0
    failing: list[OSError] = field(default_factory=list)

    async def start(self, number: int) -> FakeWorker:
        self.asked += 1
        await self.may_start.wait()
        if self.failing:
            raise self.failing.pop()
        self.workers.append(FakeWorker(number, len(self.workers)))
        return self.workers[-1]

    def joined(self, number: int, ready: Ready) -> None:
        assert ready.metrics == "metrics"
        self.heard.append(("joined", number))

    def exited(self, number: int) -> None:
        self.heard.append(("exited", number))

    async def has(self, count: int) -> FakeWorker:
        """The last of so many."""
        await until(lambda: len(self.workers) >= count)
        assert len(self.workers) == count
        return self.workers[-1]


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            await asyncio.sleep(0)


@asynccontextmanager
async def supervised(count: int) -> AsyncIterator[tuple[Supervisor, Started, asyncio.Task[None]]]:
    """Running, with so many workers started of which none serves yet."""
    started = Started()
    started.may_start.set()
    supervisor = Supervisor(started.start, count, backoff=started.pauses, watcher=started)
    running = asyncio.create_task(supervisor.run())
    await started.has(count)
    try:
        yield supervisor, started, running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert all(worker.released for worker in started.workers)


async def test_one_that_ends_is_started_again() -> None:
    """The others are left alone; it is counted, and the watcher hears of both."""
    async with supervised(2) as (supervisor, started, _):
        for worker in started.workers:
            worker.serve()
        await supervisor.all_served.wait()
        with capture_logs() as logs:
            started.workers[0].end(-signal.SIGKILL)
            again = await started.has(3)
            assert (again.number, supervisor.serving) == (1, 1)
            again.serve()
            await until(lambda: supervisor.serving == 2)
        assert started.heard == [("joined", 1), ("joined", 2), ("exited", 1), ("joined", 1)]
        assert supervisor.ends_total == {"signal": 1}
        assert [log["event"] for log in logs] == ["worker_ended", "worker_back"]
        assert (logs[0]["signal"], logs[1]["number"]) == (signal.SIGKILL, 1)
        assert not started.workers[1].told


async def test_one_that_hangs_is_started_again() -> None:
    """Once it has missed too many in a row; whoever answers in between is left alone."""
    async with supervised(2) as (supervisor, started, _):
        for worker in started.workers:
            worker.serve()
        await supervisor.all_served.wait()
        with capture_logs() as logs:
            for answered in (*[{2}] * (MOST_MISSED - 1), {1}, *[{2}] * (MOST_MISSED - 1)):
                supervisor.heard(answered)
            assert (logs, supervisor.serving) == ([], 2)
            supervisor.heard({2})
            (await started.has(3)).serve()
            await until(lambda: supervisor.serving == 2)
            supervisor.heard({2})
        assert [log["event"] for log in logs] == ["worker_hangs", "worker_ended", "worker_back"]
        assert supervisor.ends_total == {"signal": 1}
        assert [worker.number for worker in started.workers] == [1, 2, 1]


async def test_one_that_hangs_at_the_end_has_its_time() -> None:
    """What drains may be silent while it settles; its limit is another."""
    async with supervised(1) as (supervisor, started, running):
        started.workers[0].serve()
        await supervisor.all_served.wait()
        draining = asyncio.create_task(supervisor.drain(DEADLINE_S, asyncio.Event()))
        await until(lambda: started.workers[0].told)
        for _ in range(2 * MOST_MISSED):
            supervisor.heard(())
        assert not started.workers[0].released
        started.workers[0].end(0)
        await asyncio.gather(draining, running)
        assert supervisor.ends_total == {}


async def test_one_that_ends_again_and_again_waits_longer_each_time() -> None:
    """Whether it served for a moment or could not even start; the gateway goes on."""
    async with supervised(1) as (supervisor, started, running):
        started.workers[0].serve()
        await supervisor.all_served.wait()
        started.workers[0].end(1)
        (await started.has(2)).serve()
        started.workers[1].end(1)
        (await started.has(3)).fail()
        await started.has(4)
        assert started.pauses.asked == [1, 2, 3]
        assert supervisor.ends_total == {"status": 3}
        assert not running.done()


async def test_one_that_no_process_can_be_made_for_is_tried_again() -> None:
    """Later than at the first start: the others serve on."""
    async with supervised(2) as (supervisor, started, running):
        for worker in started.workers:
            worker.serve()
        await supervisor.all_served.wait()
        started.failing = [OSError(errno.EMFILE, "Too many open files")]
        with capture_logs() as logs:
            started.workers[0].end(1)
            (await started.has(3)).serve()
            await until(lambda: supervisor.serving == 2)
        assert started.pauses.asked == [1, 2]
        assert not running.done()
        assert not started.workers[1].told
        events = ["worker_ended", "worker_cannot_start", "worker_ended", "worker_back"]
        assert [log["event"] for log in logs] == events


async def test_no_process_for_the_first_start_ends_everything() -> None:
    """With what the system says."""
    started = Started(failing=[OSError(errno.EMFILE, "Too many open files")])
    started.may_start.set()
    supervisor = Supervisor(started.start, 1, backoff=started.pauses, watcher=started)
    with pytest.raises(OSError, match="Too many open files"):
        await supervisor.run()


async def test_one_that_cannot_start_at_all_ends_everything() -> None:
    """With what a single process would say; nobody is left."""
    async with supervised(2) as (supervisor, started, running):
        started.workers[0].serve()
        started.workers[1].fail()
        with pytest.raises(WorkerFailed, match="cannot listen") as raised:
            await running
        assert raised.value.code == 2
        assert not supervisor.all_served.is_set()


async def test_a_drain_waits_for_all_and_starts_nobody_again() -> None:
    """Who serves drains; who does not yet has nothing to wait for."""
    async with supervised(2) as (supervisor, started, running):
        serving, starting = started.workers
        serving.serve()
        await until(lambda: supervisor.serving)
        draining = asyncio.create_task(supervisor.drain(DEADLINE_S, asyncio.Event()))
        await until(lambda: serving.told)
        assert (serving.told, starting.told) == ([Drain()], [Hurry()])
        starting.fail()
        await until(lambda: starting.released)
        assert not draining.done()
        serving.end(0)
        await draining
        await running
        assert len(started.workers) == 2
        assert not supervisor.ends_total


async def test_one_that_was_on_its_way_when_all_were_told_is_told_too() -> None:
    """Else it would serve on, and be waited for until it is killed."""
    async with supervised(1) as (supervisor, started, running):
        started.workers[0].serve()
        await supervisor.all_served.wait()
        started.may_start.clear()
        started.workers[0].end(1)
        await until(lambda: started.asked == 2)
        await supervisor.drain(DEADLINE_S, asyncio.Event())
        started.may_start.set()
        late = await started.has(2)
        await until(lambda: late.told)
        assert late.told == [Hurry()]
        late.fail()
        await running


async def test_what_was_told_while_one_was_on_its_way_is_told_it_too() -> None:
    """It was begun with the file before; else it would serve that one to its end."""
    async with supervised(2) as (supervisor, started, _):
        for worker in started.workers:
            worker.serve()
        await supervisor.all_served.wait()
        started.may_start.clear()
        started.workers[0].end(1)
        await until(lambda: started.asked == 3)
        supervisor.tell(Reload(b"another file"))
        started.may_start.set()
        late = await started.has(3)
        late.serve()
        await until(lambda: supervisor.serving == 2)
        assert late.told == started.workers[1].told == [Reload(b"another file")]


async def test_hurry_is_told_while_they_drain() -> None:
    """Once; then they end by themselves."""
    async with supervised(1) as (supervisor, started, _):
        (worker,) = started.workers
        worker.serve()
        await supervisor.all_served.wait()
        hurry = asyncio.Event()
        draining = asyncio.create_task(supervisor.drain(DEADLINE_S, hurry))
        await until(lambda: worker.told == [Drain()])
        hurry.set()
        await until(lambda: worker.told == [Drain(), Hurry()])
        worker.end(0)
        await draining


async def test_who_does_not_end_in_time_is_killed() -> None:
    """So a worker that hangs does not keep the others' process."""
    async with supervised(1) as (supervisor, started, running):
        started.workers[0].serve()
        await supervisor.all_served.wait()
        with capture_logs() as logs:
            await supervisor.drain(0.01, asyncio.Event())
            await running
        assert await started.workers[0].ended() == -signal.SIGKILL
        assert [log["event"] for log in logs] == ["worker_killed"]
