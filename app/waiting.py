"""Requests that nobody has room for, but somebody will in time: they wait in line.

There is a line for each deployment, and a request waits in those of all that it may use and that
will have room within its patience. The most important waits in front, of equals who came first.
Only who is first somewhere looks whether there is room, so that what becomes free is not fought
for; and a deployment for which somebody waits in front is not taken by who comes later. Whoever may
use another one does not wait for that.

Where a tenant's part of a deployment is used up, or a request is too large to be let in among
others, room for others is none for it: such requests wait in their tenant's own line.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from msgspec.structs import replace

from app.domain.capacity.spill import SpillReason
from app.domain.routing.line import Line, Place
from app.domain.routing.route import RoutePlan
from app.ports import Clock

#: What was taken may be given back before it is expected: looked at so often.
LOOK_S: Final = 0.05
_SHORTEST_S: Final = 0.001
#: So many look as often as that; of more each looks less often.
_LOOKING_AT_ONCE: Final = 20

#: Whether it costs nothing, for then it has room where others have none; the deployment; and the
#: tenant, where it is for that one alone that there is no room.
_Key = tuple[bool, str, str]
_NO_ROOM_FOR_THIS_TENANT: Final = frozenset({SpillReason.SHARE, SpillReason.SIZE})


@dataclass(eq=False, slots=True)
class _Waiter:
    place: Place
    deadline: float
    keys: frozenset[_Key] = frozenset()
    is_told: asyncio.Event = field(default_factory=asyncio.Event)

    async def told(self, within_s: float) -> None:
        """Return when it is to look, or when that time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self.is_told.wait()
        self.is_told.clear()


class WaitingRoom:
    """All lines of one process; `at_most` requests wait in them together."""

    def __init__(self, clock: Clock, at_most: int = 64) -> None:
        self._clock = clock
        self._numbers = count()
        self._lines: defaultdict[_Key, Line[_Waiter]] = defaultdict(Line)
        self.at_most = at_most
        self.waiting = 0  # while nobody does, who finds room has it

    async def planned(
        self,
        plan: Callable[[], RoutePlan],
        *,
        importance: int,
        patience_s: float,
        made: RoutePlan | None = None,
    ) -> RoutePlan:
        """A plan that somebody may be asked by; one without as of now, where that is not in time.

        It leaves to those who wait in front and matter as much what they wait for. `made` is a plan
        as of now, where there is one.
        """
        waiter = _Waiter((-importance, next(self._numbers)), self._clock.now() + patience_s)
        made = plan() if made is None else made
        free = self._unclaimed(made, waiter)
        if free.candidates:
            return free
        if not self._may_wait(made, waiter):
            return made
        began = self._clock.now()
        with self._in_line(waiter, made):
            planned = await self._in_turn(waiter, plan, made)
        return replace(planned, waited_s=self._clock.now() - began)

    async def _in_turn(
        self, waiter: _Waiter, plan: Callable[[], RoutePlan], made: RoutePlan
    ) -> RoutePlan:
        while (left := waiter.deadline - self._clock.now()) > 0:
            await waiter.told(min(left, self._pause(made)) if self._leads(waiter) else left)
            if not self._leads(waiter):
                continue
            made = plan()
            free = self._unclaimed(made, waiter)
            if free.candidates or not _is_in_time(made, waiter):
                return free
            self._move(waiter, _keys_of(made, waiter.deadline))
        return await self._last(waiter, plan)

    async def _last(self, waiter: _Waiter, plan: Callable[[], RoutePlan]) -> RoutePlan:
        """At the end of its patience nobody is refused for whom there is room.

        Those in front look first: they were told, and have their turn before this one has its next.
        """
        made = plan()
        free = self._unclaimed(made, waiter)
        if free.candidates or not made.candidates:
            return free
        await asyncio.sleep(0)
        return plan()

    def _unclaimed(self, made: RoutePlan, waiter: _Waiter) -> RoutePlan:
        """What of a plan nobody in front waits for; who does is told to look."""
        if not self._lines:
            return made
        claimed: set[str] = set()
        for name in (each.deployment for each in made.candidates):
            line = self._lines.get((made.load is None, name, ""))
            first = line.first if line is not None else None
            if first is not None and first.place < waiter.place:
                first.is_told.set()
                claimed.add(name)
        return made.leaving(claimed, self._clock.now()) if claimed else made

    def _may_wait(self, made: RoutePlan, waiter: _Waiter) -> bool:
        has_patience = waiter.deadline > self._clock.now()
        return has_patience and self.waiting < self.at_most and _is_in_time(made, waiter)

    def _leads(self, waiter: _Waiter) -> bool:
        return any(self._lines[key].first is waiter for key in waiter.keys)

    def _pause(self, made: RoutePlan) -> float:
        """Until there may be room, by what was found last."""
        crowd = max(1.0, min(len(self._lines), self.waiting) / _LOOKING_AT_ONCE)
        until = max(made.until - self._clock.now(), _SHORTEST_S * crowd)
        return min(until, LOOK_S * crowd)

    @contextmanager
    def _in_line(self, waiter: _Waiter, made: RoutePlan) -> Iterator[None]:
        self.waiting += 1
        self._move(waiter, _keys_of(made, waiter.deadline))
        try:
            yield
        finally:
            self._move(waiter, frozenset())
            self.waiting -= 1

    def _move(self, waiter: _Waiter, keys: frozenset[_Key]) -> None:
        """Have it wait in these lines; whoever comes to the front of one it leaves is told."""
        left, waiter.keys = waiter.keys, keys
        for key in keys - left:
            self._lines[key].add(waiter.place, waiter)
        for key in left - keys:
            line = self._lines[key]
            was_first = line.first is waiter
            line.discard(waiter.place)
            if line.first is None:
                del self._lines[key]
            elif was_first:
                line.first.is_told.set()


def _is_in_time(made: RoutePlan, waiter: _Waiter) -> bool:
    return bool(made.candidates) or made.until <= waiter.deadline


def _keys_of(made: RoutePlan, deadline: float) -> frozenset[_Key]:
    """The lines of what may have room by then."""
    is_free, tenant = made.load is None, made.load.claim.tenant if made.load is not None else ""
    keys = {(is_free, each.deployment, "") for each in made.candidates}
    for each in made.absences:
        if each.until <= deadline and each.reason is not SpillReason.POLICY:
            is_ours_alone = each.reason in _NO_ROOM_FOR_THIS_TENANT
            keys.add((is_free, each.deployment, tenant if is_ours_alone else ""))
    return frozenset(keys)
