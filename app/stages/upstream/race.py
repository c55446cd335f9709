"""Two at work on the same thing: each that ends is given once, and none is left behind.

Whoever runs a race stops it, as soon as one has won or when it is left for any other reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, Protocol, TypeVar


class Arrival(Protocol):
    """What one came to."""

    @property
    def serves(self) -> bool:
        """Whether it is what everybody ran for."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


A = TypeVar("A", bound=Arrival)
Work = Callable[[], Coroutine[Any, Any, A | None]]


class Race(Generic[A]):
    """Works that end with an arrival, or with None; cancelled ones let go of all they hold."""

    def __init__(self, *works: Work[A]) -> None:
        """They begin at once."""
        self._is_over = False
        self._tasks = [asyncio.create_task(self._run(work)) for work in works]

    async def _run(self, work: Work[A]) -> A | None:
        arrived = await work()
        if self._is_over and arrived is not None:
            arrived.close()  # it arrived in the moment in which it was stopped
            return None
        return arrived

    async def arrival(self) -> A | None:
        """The next one, the caller's to close; None: there will be none.

        Of those that end together one that serves comes last: what the others say is heard, too.
        """
        while self._tasks:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            ended = min((task for task in self._tasks if task.done()), key=_serves)
            self._tasks.remove(ended)
            if (arrived := ended.result()) is not None:
                return arrived
        return None

    async def stop(self) -> None:
        """End all that still run, and let go of what nobody took."""
        self._is_over = True
        tasks, self._tasks = self._tasks, []
        running = [task for task in tasks if not task.done()]
        for task in running:
            task.cancel()
        for task in tasks:
            if task not in running and _has_arrived(task) and (left := task.result()) is not None:
                left.close()
        if running:
            await asyncio.wait(running)


def _has_arrived(task: asyncio.Task[A | None]) -> bool:
    return not task.cancelled() and task.exception() is None


def _serves(task: asyncio.Task[A | None]) -> bool:
    arrived = task.result() if _has_arrived(task) else None
    return arrived is not None and arrived.serves
