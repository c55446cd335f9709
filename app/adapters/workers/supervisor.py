"""Keeps so many workers: one that ends, or hangs, is started again, after a pause."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Final, Protocol

import structlog

from app.adapters.workers.backoff import Backoff
from app.adapters.workers.messages import Drain, Failed, Hurry, News, Order, Ready

#: Who served for so long has not failed at its start: the next pause is a short one.
SERVED_LONG_S: Final = 60.0
#: So long a worker is waited for that was asked whether its loop turns. Seconds.
ALIVE_WITHIN_S: Final = 10.0
#: Who has missed so often in a row hangs, and the kernel goes on to give it connections. Once may
#: be ourselves: a clock goes on while this process is stopped.
MOST_MISSED: Final = 3

_log = structlog.get_logger()


class WorkerFailed(Exception):
    """A worker cannot start at all; the message is a single process's, `code` its exit code."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(failed.message)
        self.code = failed.code


class Worker(Protocol):
    """One that was started."""

    @property
    def pid(self) -> int:
        """Its process."""
        ...

    async def begun(self) -> News:
        """Wait until it serves, or cannot; one that ends without a word has failed, too."""
        ...

    async def ended(self) -> int:
        """Wait for its end: its exit code, or a signal's number as a negative one."""
        ...

    def tell(self, order: Order) -> None:
        """Returns at once; one that is gone hears nothing."""
        ...

    def kill(self) -> None:
        """End it now."""
        ...

    async def release(self) -> None:
        """Let it end, and see to it; returns when it is gone."""
        ...


class Watcher(Protocol):
    """Told of workers as they come and go."""

    def joined(self, number: int, ready: Ready) -> None:
        """It serves."""
        ...

    def exited(self, number: int) -> None:
        """Its process has ended, whether it ever served or not."""
        ...


class Supervisor:
    """Workers numbered from 1; something must `run` it."""

    def __init__(
        self,
        start: Callable[[int], Awaitable[Worker]],
        count: int,
        *,
        backoff: Backoff,
        watcher: Watcher,
    ) -> None:
        """`start` starts the process of a worker; nothing is started yet."""
        self._start = start
        self._count = count
        self._backoff = backoff
        self._watcher = watcher
        self._workers: dict[int, Worker] = {}
        #: Of workers that are not there yet: what to tell them then.
        self._on_their_way: dict[int, list[Order]] = {}
        self._serving: set[int] = set()
        self._ever_served: set[int] = set()
        self._missed: Counter[int] = Counter()
        self._ending = asyncio.Event()
        self.all_served = asyncio.Event()
        #: How often one ended by itself, by what its end was: status, signal.
        self.ends_total: Counter[str] = Counter()

    @property
    def serving(self) -> int:
        """So many workers serve."""
        return len(self._serving)

    async def run(self) -> None:
        """Keep them all until they have drained.

        Raises WorkerFailed where one cannot start that never served. Whatever ends this, no worker
        is left.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(1, self._count + 1):
                    group.create_task(self._keep(number))
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None  # one line can tell of one only

    def tell(self, order: Order) -> None:
        """Tell all of them; who is on its way is told when it is there."""
        for worker in self._workers.values():
            worker.tell(order)
        for orders in self._on_their_way.values():
            orders.append(order)

    def heard(self, answered: Collection[int]) -> None:
        """All that serve were asked, and these answered; kill who has missed it too often.

        Not at the end, which has a limit of its own.
        """
        for number in self._serving:
            self._missed[number] = 0 if number in answered else self._missed[number] + 1
            if self._missed[number] == MOST_MISSED and not self._ending.is_set():
                worker = self._workers[number]
                _log.error("worker_hangs", number=number, process=worker.pid)
                worker.kill()

    async def drain(self, limit_s: float, hurry: asyncio.Event) -> None:
        """Have all end, within `limit_s` seconds; told again, at once, when `hurry` is set."""
        self._ending.set()
        for number, worker in self._workers.items():
            worker.tell(Drain() if number in self._serving else Hurry())
        hurrying = asyncio.create_task(self._hurry(hurry))
        try:
            async with asyncio.timeout(limit_s):
                await self._all_gone()
        except TimeoutError:
            for number, worker in self._workers.items():
                _log.error("worker_killed", number=number, process=worker.pid)
                worker.kill()
        finally:
            hurrying.cancel()

    async def _hurry(self, hurry: asyncio.Event) -> None:
        await hurry.wait()
        self.tell(Hurry())

    async def _all_gone(self) -> None:
        while self._workers:
            await asyncio.wait(
                [asyncio.ensure_future(each.ended()) for each in self._workers.values()]
            )
            await asyncio.sleep(0)  # until whoever keeps them has noted it

    async def _keep(self, number: int) -> None:
        failures, clock = 0, asyncio.get_running_loop().time
        while not self._ending.is_set():
            began = clock()
            status = await self._served(number)
            if self._ending.is_set():
                return
            failures = 1 if clock() - began >= SERVED_LONG_S else failures + 1
            pause_s = self._backoff.pause_s(failures)
            self._note(number, status, pause_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._ending.wait()

    async def _served(self, number: int) -> int:
        """Start one and wait for its end; its status."""
        missed: list[Order] = []
        self._on_their_way[number] = missed
        try:
            worker = await self._start(number)
        except OSError as error:  # no process, file or memory is left for it: others serve on
            if number not in self._ever_served:
                raise
            _log.error("worker_cannot_start", number=number, why=str(error))
            return 1
        finally:
            del self._on_their_way[number]
        self._workers[number] = worker
        for order in missed:
            worker.tell(order)
        if self._ending.is_set():  # it was on its way when the others were told
            worker.tell(Hurry())
        try:
            if not await self._has_begun(number, worker):
                await worker.release()
            return await worker.ended()
        finally:
            try:
                await worker.release()
            finally:
                self._workers.pop(number, None)
                self._serving.discard(number)
                self._missed.pop(number, None)
                self._watcher.exited(number)

    async def _has_begun(self, number: int, worker: Worker) -> bool:
        match await worker.begun():
            case Ready() as ready:
                self._serving.add(number)
                if number in self._ever_served:
                    _log.info("worker_back", number=number, process=worker.pid)
                self._ever_served.add(number)
                self._watcher.joined(number, ready)
                if len(self._ever_served) == self._count:
                    self.all_served.set()
                return True
            case Failed() as failed if number in self._ever_served or self._ending.is_set():
                _log.error("worker_cannot_start", number=number, why=failed.message)
                return False
            case Failed() as failed:
                raise WorkerFailed(failed)

    def _note(self, number: int, status: int, pause_s: float) -> None:
        how = "signal" if status < 0 else "status"
        self.ends_total[how] += 1
        say = _log.error if status else _log.warning  # 0: somebody told that one to end
        say("worker_ended", number=number, again_in_s=round(pause_s, 3), **{how: abs(status)})
