"""Requests that nobody has room for, but somebody will in time: they wait in line.

Each line is one model's. The most important waits in front, of equals who came first. Only the one
in front looks whether there is room, so that what becomes free is not fought for.
"""

from __future__ import annotations

import asyncio
from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from app.domain.routing.route import RoutePlan
from app.ports import Clock

#: What was taken may be given back before it is expected: looked at so often.
LOOK_S: Final = 0.05
_SHORTEST_S: Final = 0.001


@dataclass(order=True, slots=True)
class _Waiter:
    rank: int
    number: int
    is_first: asyncio.Event = field(compare=False, default_factory=asyncio.Event)


class WaitingRoom:
    """All lines of one process; `at_most` requests wait in them together."""

    def __init__(self, clock: Clock, at_most: int = 64) -> None:
        self._clock = clock
        self._numbers = count()
        self._lines: defaultdict[str, list[_Waiter]] = defaultdict(list)
        self.at_most = at_most
        self.waiting = 0

    async def planned(
        self, plan: Callable[[], RoutePlan], *, line: str, importance: int, patience_s: float
    ) -> RoutePlan:
        """A plan that somebody may be asked by; one without as of now, where that is not in time.

        Nobody passes those who wait in its line and matter as much.
        """
        rank, deadline = -importance, self._clock.now() + patience_s
        ahead = self._lines.get(line)
        made = plan()
        if made.candidates and not (ahead and ahead[0].rank <= rank):
            return made
        if not self._may_wait(made, deadline):
            return made
        with self._in(line, rank) as waiter:
            return await self._first(waiter, plan, made, deadline)

    async def _first(
        self, waiter: _Waiter, plan: Callable[[], RoutePlan], made: RoutePlan, deadline: float
    ) -> RoutePlan:
        while (left := deadline - self._clock.now()) > 0:
            if not waiter.is_first.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await waiter.is_first.wait()
                continue
            made = plan()
            until = made.until - self._clock.now()
            if made.candidates or until > left:
                return made
            await asyncio.sleep(min(max(until, _SHORTEST_S), LOOK_S, left))
        return plan()  # not what was found when it came: its time to come back may be over

    def _may_wait(self, made: RoutePlan, deadline: float) -> bool:
        in_time = bool(made.candidates) or made.until <= deadline
        return in_time and self.waiting < self.at_most and deadline > self._clock.now()

    @contextmanager
    def _in(self, line: str, rank: int) -> Iterator[_Waiter]:
        waiter, waiters = _Waiter(rank, next(self._numbers)), self._lines[line]
        insort(waiters, waiter)
        self.waiting += 1
        _appoint(waiters)
        try:
            yield waiter
        finally:
            waiters.remove(waiter)
            self.waiting -= 1
            _appoint(waiters)
            if not waiters:
                self._lines.pop(line, None)


def _appoint(waiters: list[_Waiter]) -> None:
    """Have the first of them look, and nobody else."""
    for place, waiter in enumerate(waiters):
        if place == 0:
            waiter.is_first.set()
        else:
            waiter.is_first.clear()
