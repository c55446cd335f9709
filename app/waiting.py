"""Requests that nobody has room for, but somebody will in time: they wait in line.

Each line is one model's. The most important waits in front, of equals who came first. Only the one
in front looks whether there is room, so that what becomes free is not fought for.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from app.domain.routing.line import Line, Place
from app.domain.routing.route import RoutePlan
from app.ports import Clock

#: What was taken may be given back before it is expected: looked at so often.
LOOK_S: Final = 0.05
_SHORTEST_S: Final = 0.001


@dataclass(eq=False, slots=True)
class _Waiter:
    place: Place
    is_first: asyncio.Event = field(default_factory=asyncio.Event)


class WaitingRoom:
    """All lines of one process; `at_most` requests wait in them together."""

    def __init__(self, clock: Clock, at_most: int = 64) -> None:
        self._clock = clock
        self._numbers = count()
        self._lines: defaultdict[str, Line[_Waiter]] = defaultdict(Line)
        self.at_most = at_most
        self.waiting = 0

    async def planned(
        self, plan: Callable[[], RoutePlan], *, line: str, importance: int, patience_s: float
    ) -> RoutePlan:
        """A plan that somebody may be asked by; one without as of now, where that is not in time.

        Nobody passes those who wait in its line and matter as much.
        """
        rank, deadline = -importance, self._clock.now() + patience_s
        made = plan()
        if made.candidates and not self._is_anybody_ahead(line, rank):
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

    def _is_anybody_ahead(self, line: str, rank: int) -> bool:
        first = self._lines[line].first if line in self._lines else None
        return first is not None and first.place[0] <= rank

    def _may_wait(self, made: RoutePlan, deadline: float) -> bool:
        in_time = bool(made.candidates) or made.until <= deadline
        return in_time and self.waiting < self.at_most and deadline > self._clock.now()

    @contextmanager
    def _in(self, name: str, rank: int) -> Iterator[_Waiter]:
        waiter, line = _Waiter((rank, next(self._numbers))), self._lines[name]
        before = line.first
        line.add(waiter.place, waiter)
        self.waiting += 1
        _appoint(line, before)
        try:
            yield waiter
        finally:
            line.discard(waiter.place)
            self.waiting -= 1
            _appoint(line, waiter)
            if not line:
                self._lines.pop(name, None)


def _appoint(line: Line[_Waiter], before: _Waiter | None) -> None:
    """Have the first look, and not who was first before."""
    if line.first is before:
        return
    if before is not None:
        before.is_first.clear()
    if line.first is not None:
        line.first.is_first.set()
