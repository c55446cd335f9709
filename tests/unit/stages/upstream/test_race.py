"""Two at work: what is given, in which order, and that nothing is left behind."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from app.stages.upstream.race import Race


@dataclass
class Runner:
    """One that arrives when it is let go; it knows whether it was let go of."""

    serves: bool = True
    closed: bool = False
    cancelled: bool = False

    def __post_init__(self) -> None:
        self.gate = asyncio.Event()

    async def run(self) -> Runner | None:
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return self

    def close(self) -> None:
        self.closed = True


async def test_they_are_given_as_they_arrive() -> None:
    """The later one first, if it was faster."""
    one, other = Runner(), Runner()
    race = Race(one.run, other.run)
    other.gate.set()
    assert await race.arrival() is other
    one.gate.set()
    assert await race.arrival() is one
    assert await race.arrival() is None


async def test_of_two_that_arrive_together_the_one_that_serves_is_last() -> None:
    """So that what the other one says is heard before the race is stopped."""
    one, other = Runner(serves=True), Runner(serves=False)
    race = Race(one.run, other.run)
    one.gate.set()
    other.gate.set()
    for _ in range(3):
        await asyncio.sleep(0)
    assert [await race.arrival() for _ in range(3)] == [other, one, None]


async def test_stopping_ends_who_runs_and_lets_go_of_who_arrived() -> None:
    """Nobody is given any more."""
    one, other = Runner(), Runner()
    race = Race(one.run, other.run)
    one.gate.set()
    for _ in range(3):
        await asyncio.sleep(0)
    await race.stop()
    assert (one.closed, other.cancelled) == (True, True)
    assert await race.arrival() is None


async def test_who_arrives_while_being_stopped_is_let_go_of() -> None:
    """It took its cancellation for something else and came back with an answer."""
    stubborn = Runner()

    async def run() -> Runner | None:
        try:
            await stubborn.gate.wait()
        except asyncio.CancelledError:
            return stubborn
        return None

    race = Race(run)
    await asyncio.sleep(0)
    await race.stop()
    assert stubborn.closed


async def test_who_came_to_nothing_is_not_given() -> None:
    """The others go on."""
    one = Runner()

    async def nothing() -> Runner | None:
        return None

    race = Race(nothing, one.run)
    one.gate.set()
    assert [await race.arrival() for _ in range(2)] == [one, None]


async def test_a_bug_is_raised() -> None:
    """And the other one is stopped by whoever runs the race."""
    one = Runner()

    async def broken() -> Runner | None:
        raise ZeroDivisionError

    race = Race(broken, one.run)
    with pytest.raises(ZeroDivisionError):
        await race.arrival()
    await race.stop()
    assert one.cancelled
