"""Requests that wait for different deployments: whoever gets room, nobody in front wanted it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from app.adapters.clock import SystemClock
from app.domain.capacity.spill import SpillReason
from app.domain.routing.route import Absence, Candidate, RoutePlan
from app.waiting import WaitingRoom

NAMES = ("a", "b", "c")
LONG_S = 60.0


@dataclass(frozen=True, slots=True)
class Asker:
    """A request: what it may use, and how much it matters."""

    number: int
    usable: frozenset[str]
    importance: int

    @property
    def place(self) -> tuple[int, int]:
        """The smaller, the sooner."""
        return -self.importance, self.number


usables = st.frozensets(st.sampled_from(NAMES), min_size=1)
askers = st.lists(st.tuples(usables, st.integers(0, 3)), min_size=1, max_size=12)


class Played:
    """Deployments that are full, and have room for one request each time that it comes."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.room = WaitingRoom(self.clock)
        self.free = dict.fromkeys(NAMES, 0)
        self.served: list[tuple[Asker, str]] = []

    def plan(self, asker: Asker) -> RoutePlan:
        """Whoever has room, by name."""
        soon = self.clock.now() + 0.001
        names = sorted(asker.usable)
        return RoutePlan(
            tuple(Candidate(name, 0) for name in names if self.free[name]),
            tuple(
                Absence(name, 0, SpillReason.PREDICTED, soon)
                for name in names
                if not self.free[name]
            ),
        )

    async def ask(self, asker: Asker) -> None:
        """Wait, and take the place at once."""
        made = await self.room.planned(
            lambda: self.plan(asker), importance=asker.importance, patience_s=LONG_S
        )
        name = made.candidates[0].deployment
        self.free[name] -= 1
        self.served.append((asker, name))

    async def until_served(self, count: int) -> None:
        """Return once so many were let in."""
        async with asyncio.timeout(LONG_S):
            while len(self.served) < count:
                await asyncio.sleep(0.001)

    async def play(self, everybody: list[Asker], places: Iterator[str]) -> None:
        """All come while nobody has room; then one place after the other becomes free."""
        tasks = []
        for asker in everybody:
            tasks.append(asyncio.create_task(self.ask(asker)))
            await asyncio.sleep(0)
        assert self.room.waiting == len(everybody)
        waiting = set(everybody)
        for name in places:
            wanting = [each for each in waiting if name in each.usable]
            if not wanting:
                continue
            self.free[name] += 1
            await self.until_served(len(self.served) + 1)
            assert self.served[-1] == (min(wanting, key=lambda each: each.place), name)
            waiting.discard(self.served[-1][0])
            if not waiting:
                break
        await asyncio.gather(*tasks)
        assert self.room.waiting == 0


@settings(max_examples=40)
@given(askers, st.randoms(use_true_random=False))
def test_each_place_goes_to_the_first_of_those_who_may_use_it(
    asked: list[tuple[frozenset[str], int]], random: object
) -> None:
    """By class, then by arrival, whatever else anybody in front waits for."""
    everybody = [Asker(number, *each) for number, each in enumerate(asked)]

    def places() -> Iterator[str]:
        while True:
            yield random.choice(NAMES)  # type: ignore[attr-defined]  # Hypothesis' own Random

    asyncio.run(Played().play(everybody, places()))
