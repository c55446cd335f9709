"""Requests in line for room."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from time import process_time

import pytest

from app.adapters.clock import SystemClock
from app.domain.capacity.spill import SpillReason
from app.domain.routing.route import Absence, Candidate, RoutePlan
from app.waiting import WaitingRoom

FOUND = RoutePlan((Candidate("ptu", 0),))
#: Longer than any test takes.
LONG_S = 30.0


def full_until(moment: float) -> RoutePlan:
    """Nobody may be asked before that."""
    return RoutePlan((), (Absence("ptu", 0, SpillReason.PREDICTED, moment),))


@dataclass(slots=True)
class Ptu:
    """Has room for so many; says when it will have more."""

    room: int = 0
    frees_in_s: float = 0.01
    clock: SystemClock = field(default_factory=SystemClock)
    asked: int = 0

    def plan(self) -> RoutePlan:
        self.asked += 1
        if not self.room:
            return full_until(self.clock.now() + self.frees_in_s)
        self.room -= 1
        return FOUND


class Line:
    """Those who wait, and in which order they were let in."""

    def __init__(self, ptu: Ptu, at_most: int = 64) -> None:
        self.ptu = ptu
        self.room = WaitingRoom(ptu.clock, at_most)
        self.served: list[str] = []

    async def ask(self, name: str, importance: int = 1, patience_s: float = LONG_S) -> RoutePlan:
        """Wait for a plan."""
        plan = await self.room.planned(
            self.ptu.plan, line="gpt-4o", importance=importance, patience_s=patience_s
        )
        if plan.candidates:
            self.served.append(name)
        return plan

    async def all_wait(self, count: int) -> None:
        """Return once so many are in line."""
        await until(lambda: self.room.waiting == count)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.001)


async def test_who_finds_room_does_not_wait() -> None:
    """One look, and no turn of the loop."""
    line = Line(Ptu(room=1))
    assert await line.ask("a") is FOUND
    assert (line.ptu.asked, line.room.waiting) == (1, 0)


async def test_room_that_comes_in_time_is_waited_for() -> None:
    """The plan that was found last is the answer."""
    line = Line(Ptu())
    waiting = asyncio.create_task(line.ask("a"))
    await line.all_wait(1)
    line.ptu.room = 1
    assert await waiting is FOUND
    assert line.room.waiting == 0


@pytest.mark.parametrize("patience_s", [0.0, 1.0])
async def test_room_that_comes_too_late_is_not_waited_for(patience_s: float) -> None:
    """The refusal is at once, and says when."""
    line = Line(Ptu(frees_in_s=100.0))
    plan = await line.ask("a", patience_s=patience_s)
    assert not plan.candidates
    assert plan.until > line.ptu.clock.now() + 1
    assert line.ptu.asked == 1


async def test_patience_ends() -> None:
    """Who was told of room that never came is refused in the end."""
    line = Line(Ptu(frees_in_s=0.0))
    assert not (await line.ask("a", patience_s=0.02)).candidates
    assert line.room.waiting == 0


async def test_the_more_important_and_the_earlier_go_first() -> None:
    """Whoever came while others waited, in front of nobody who matters as much."""
    line = Line(Ptu())
    asked = []
    for name, importance in (("a1", 1), ("b1", 1), ("a0", 0), ("a2", 2), ("c1", 1)):
        asked.append(asyncio.create_task(line.ask(name, importance)))
        await line.all_wait(len(asked))
    for served in range(1, 6):
        line.ptu.room = 1
        await until(lambda count=served: len(line.served) == count)  # type: ignore[misc]
    assert line.served == ["a2", "a1", "b1", "c1", "a0"]
    await asyncio.gather(*asked)


async def test_nobody_passes_those_in_line() -> None:
    """Room that became free is theirs, though a newcomer saw it first."""
    line = Line(Ptu(frees_in_s=0.05))
    first = asyncio.create_task(line.ask("first"))
    await line.all_wait(1)
    line.ptu.room = 3  # each look takes one here
    second = asyncio.create_task(line.ask("second"))
    await asyncio.gather(first, second)
    assert line.served == ["first", "second"]


async def test_a_full_room_refuses() -> None:
    """What waits costs memory and the client's patience: there is a bound."""
    line = Line(Ptu(), at_most=1)
    waiting = asyncio.create_task(line.ask("a"))
    await line.all_wait(1)
    assert not (await line.ask("b")).candidates
    line.ptu.room = 1
    await waiting


async def test_who_leaves_lets_the_next_look() -> None:
    """A client that goes away while it is first in line."""
    line = Line(Ptu())
    gone = asyncio.create_task(line.ask("gone"))
    await line.all_wait(1)
    next_one = asyncio.create_task(line.ask("next"))
    await line.all_wait(2)
    gone.cancel()
    line.ptu.room = 1
    assert await next_one is FOUND
    assert (line.served, line.room.waiting) == (["next"], 0)


async def test_whose_patience_ends_is_told_how_things_are_by_then() -> None:
    """It has room although it never came to be the first; an old plan would refuse it."""
    line = Line(Ptu())
    first = asyncio.create_task(line.ask("first"))
    await line.all_wait(1)
    other = Ptu(frees_in_s=0.0, clock=line.ptu.clock)
    waiting = asyncio.create_task(
        line.room.planned(other.plan, line="gpt-4o", importance=1, patience_s=0.1)
    )
    await line.all_wait(2)
    other.room = 1
    assert await waiting is FOUND
    line.ptu.room = 1
    await first


async def seconds_to_serve(count: int) -> float:
    """Until so many have joined a line, and room for all has come."""
    line = Line(Ptu(), at_most=count)
    began = process_time()
    asked = [asyncio.create_task(line.ask(str(number))) for number in range(count)]
    await line.all_wait(count)
    line.ptu.room = count
    await asyncio.gather(*asked)
    assert len(line.served) == count
    return process_time() - began


async def test_a_long_line_costs_each_no_more() -> None:
    """Eight times as many take about eight times as long, not 64 times."""
    least = min([await seconds_to_serve(500) for _ in range(3)])
    assert min([await seconds_to_serve(4_000) for _ in range(2)]) < 24 * least
