"""Work that nobody waits for: bounded in number, and given up when the process ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog

#: Under way at a time.
MOST: Final = 32
#: How long work that was given up may take to end: what it reserved is to be given back. Seconds.
CLOSE_S: Final = 1.0


class Aside:
    """Works of one process; open within `aside`.

    `refused_total` counts what was too much, `failed_total` what ended by an error.
    """

    def __init__(self, most: int = MOST) -> None:
        """At most `most` are under way."""
        self._most = most
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_open = True
        self._noted: set[str] = set()  # one for each class that is raised: bounded
        self.refused_total = 0
        self.failed_total = 0

    def begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Have it done; False where too much is under way, or all is ending."""
        if not self._is_open or len(self._tasks) >= self._most:
            self.refused_total += 1
            return False
        task = asyncio.create_task(work(), name="aside")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return True

    async def idle(self) -> None:
        """Return once nothing is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Give up what is under way."""
        self._is_open = False
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_S)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        self.failed_total += 1
        kind = type(error).__name__
        if kind not in self._noted:  # not its words, which may hold a prompt
            self._noted.add(kind)
            structlog.get_logger().error("aside_failed", error=kind)


@asynccontextmanager
async def aside(most: int = MOST) -> AsyncIterator[Aside]:
    """Works that end with the scope, within a second."""
    works = Aside(most)
    try:
        yield works
    finally:
        await works.close()
