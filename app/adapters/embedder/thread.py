"""One thread that works for an event loop, and that nobody has to wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

import msgspec

#: What came of a job: its result, or what it raised.
Outcome = Callable[[Any, Exception | None], None]


class _Job(msgspec.Struct, frozen=True):
    work: Callable[[], Any]
    then: Outcome


class Worker:
    """Jobs one after the other, in a thread that the end of the process does not wait for.

    An executor's threads are waited for when the process ends: a job that hangs would hang it.
    """

    def __init__(self, name: str) -> None:
        """Start the thread. Only within a running event loop, which is told of outcomes."""
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._ended = asyncio.Event()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def submit(self, work: Callable[[], Any], then: Outcome) -> None:
        """Have `work` done in the thread and `then` called with what came of it, on the loop."""
        self._jobs.put(_Job(work, then))

    async def stop(self, patience_s: float) -> bool:
        """End after the jobs at hand; False where that takes longer than `patience_s` seconds."""
        self._jobs.put(None)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), patience_s)
        return self._ended.is_set()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            result, error = _done(job.work)
            self._tell(job.then, result, error)
        self._tell(self._ended.set)

    def _tell(self, then: Callable[..., object], *what: object) -> None:
        # The loop is closed where it did not wait for a job that took too long.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(then, *what)


def _done(work: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return work(), None
    except Exception as error:  # noqa: BLE001  # handed to whoever submitted it
        return None, error
