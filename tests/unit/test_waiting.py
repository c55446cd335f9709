"""Requests in line for room."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import process_time

import pytest

from app.adapters.clock import SystemClock
from app.domain.capacity.demand import Demand, Load
from app.domain.capacity.shares import Claim
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
        plan = await self.room.planned(self.ptu.plan, importance=importance, patience_s=patience_s)
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
    assert await line.ask("a") == FOUND
    assert (line.ptu.asked, line.room.waiting) == (1, 0)


async def test_room_that_comes_in_time_is_waited_for() -> None:
    """The plan that was found last is the answer."""
    line = Line(Ptu())
    waiting = asyncio.create_task(line.ask("a"))
    await line.all_wait(1)
    line.ptu.room = 1
    assert await waiting == FOUND
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
    assert await next_one == FOUND
    assert (line.served, line.room.waiting) == (["next"], 0)


async def test_whose_patience_ends_is_told_how_things_are_by_then() -> None:
    """It has room although it never came to be the first; an old plan would refuse it."""
    line = Line(Ptu())
    first = asyncio.create_task(line.ask("first"))
    await line.all_wait(1)
    other = Ptu(frees_in_s=0.0, clock=line.ptu.clock)
    waiting = asyncio.create_task(line.room.planned(other.plan, importance=1, patience_s=0.1))
    await line.all_wait(2)
    other.room = 2  # each look takes one here, and those in front look in between
    assert await waiting == FOUND
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


@pytest.fixture
def no_collections() -> Iterator[None]:
    """Their cost grows with all that the process has, which is not what is measured."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collections")
async def test_a_long_line_costs_each_no_more() -> None:
    """Eight times as many take about eight times as long, not 64 times."""
    least = min([await seconds_to_serve(500) for _ in range(3)])
    assert min([await seconds_to_serve(4_000) for _ in range(2)]) < 24 * least


class Zones:
    """Deployments with and without room; looking takes nothing, and being let in takes one."""

    def __init__(self, **free: int) -> None:
        self.free = free
        self.clock = SystemClock()
        self.room = WaitingRoom(self.clock)
        self.absent: dict[str, tuple[SpillReason, float]] = {}  # why, and for how long

    def plan(self, *names: str) -> RoutePlan:
        """In this order; who has no room will have some in a moment, unless it says otherwise."""
        now = self.clock.now()
        absences = []
        for tier, name in enumerate(names):
            why, wait_s = self.absent.get(name, (SpillReason.PREDICTED, 0.01))
            if not self.free[name]:
                absences.append(Absence(name, tier, why, now + wait_s))
        candidates = [Candidate(n, tier) for tier, n in enumerate(names) if self.free[n]]
        load = Load(Claim("acme"), Demand(1, 1))
        return RoutePlan(tuple(candidates), tuple(absences), load)

    async def ask(self, *names: str, importance: int = 1, patience_s: float = LONG_S) -> str:
        """Where it was let in; empty where nowhere."""
        made = await self.room.planned(
            lambda: self.plan(*names), importance=importance, patience_s=patience_s
        )
        return self.let_in(made)

    def let_in(self, made: RoutePlan) -> str:
        """As the gateway does it: at once, before anybody else has a turn."""
        if not made.candidates:
            return ""
        name = made.candidates[0].deployment
        self.free[name] -= 1
        return name

    async def waits(self, *names: str, importance: int = 1) -> asyncio.Task[str]:
        """A request that is in line."""
        before = self.room.waiting
        task = asyncio.create_task(self.ask(*names, importance=importance))
        await until(lambda: self.room.waiting > before)
        return task


async def test_who_may_use_something_else_does_not_wait() -> None:
    """However important those are who wait for what it does not need."""
    zones = Zones(eu=0, us=2)
    bound = await zones.waits("eu", importance=3)
    assert await zones.ask("us") == "us"
    assert await zones.ask("us", "eu") == "us"
    assert not bound.done()
    zones.free["eu"] = 1
    assert await bound == "eu"


async def test_what_others_wait_for_in_front_is_left_to_them() -> None:
    """The plan says why; who matters more is not behind them."""
    zones = Zones(eu=0, us=9)
    bound = await zones.waits("eu")
    zones.free["eu"] = 2
    made = await zones.room.planned(lambda: zones.plan("eu", "us"), importance=1, patience_s=LONG_S)
    assert [each.deployment for each in made.candidates] == ["us"]
    (absence,) = made.absences
    assert (absence.deployment, absence.reason) == ("eu", SpillReason.PREDICTED)
    assert await zones.ask("eu", "us", importance=2) == "eu"
    assert await bound == "eu"


async def test_who_waits_for_one_of_two_takes_what_comes_first() -> None:
    """And does not hold up who waits for the other."""
    zones = Zones(eu=0, us=0)
    either = await zones.waits("eu", "us")
    eu, us = await zones.waits("eu"), await zones.waits("us")
    zones.free["us"] = 1
    assert await either == "us"
    zones.free["us"] = 1
    assert await us == "us"
    assert not eu.done()
    zones.free["eu"] = 1
    assert await eu == "eu"


async def test_what_comes_too_late_is_not_waited_for() -> None:
    """So that it is nobody's in front when somebody else finds room there."""
    zones = Zones(eu=0, us=0)
    zones.absent["us"] = (SpillReason.HELD, 2 * LONG_S)
    waiting = await zones.waits("eu", "us")
    zones.free["us"] = 1
    assert await zones.ask("us") == "us"
    zones.free["eu"] = 1
    assert await waiting == "eu"


@pytest.mark.parametrize("why", [SpillReason.SHARE, SpillReason.SIZE])
async def test_who_has_no_room_where_others_have_does_not_hold_them_up(why: SpillReason) -> None:
    """Its tenant's part is used up, or it is too large: what is free is for others."""
    zones = Zones(ptu=0)
    zones.absent["ptu"] = (why, 0.01)
    greedy = await zones.waits("ptu")
    del zones.absent["ptu"]
    zones.free["ptu"] = 1
    assert await zones.ask("ptu") == "ptu"
    zones.free["ptu"] = 1
    assert await greedy == "ptu"


async def test_who_may_not_go_there_any_more_leaves_that_line() -> None:
    """Those behind it go on: a policy changes while a request waits."""
    zones = Zones(eu=0, us=0)
    places: list[tuple[str, ...]] = [("us", "eu")]
    first = asyncio.create_task(
        zones.room.planned(lambda: zones.plan(*places[0]), importance=1, patience_s=LONG_S)
    )
    await until(lambda: zones.room.waiting == 1)
    second = await zones.waits("us")
    places[0] = ("eu",)
    zones.free["us"] = 1
    assert await second == "us"
    zones.free["eu"] = 1
    assert zones.let_in(await first) == "eu"


async def test_whose_patience_ends_lets_those_in_front_look_first() -> None:
    """There is one place, and it is not the one who leaves that gets it."""
    zones = Zones(eu=0)
    zones.absent["eu"] = (SpillReason.PREDICTED, 0.01)
    first = await zones.waits("eu")
    second = asyncio.create_task(zones.ask("eu", patience_s=0.1))
    await until(lambda: zones.room.waiting == 2)
    looked = zones.plan

    def plan(*names: str) -> RoutePlan:
        if asyncio.current_task() is second:
            zones.free["eu"] = int(not first.done())
        return looked(*names)

    zones.plan = plan  # type: ignore[method-assign]  # room comes at the very end
    assert await second == ""
    assert await first == "eu"
