"""What every hold board promises: the local one, the one on a real Redis, the tests' own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from app.adapters.clock import SystemClock
from app.adapters.holds import LocalHoldBoard
from app.adapters.redis.holds import SharedHoldBoard
from app.adapters.redis.store import opened_store
from app.ports import Clock, HoldBoard
from tests.fakes.holds import FakeHoldBoard
from tests.fakes.patient import patient


class SteppedClock:
    """Goes on by itself, and can be put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self._real = SystemClock()

    def now(self) -> float:
        return self._real.now() + self.ahead

    def unix(self) -> float:
        return self._real.unix() + self.ahead


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def name() -> str:
    return f"deployment-{uuid4()}"


@pytest.fixture(params=["local", "fake", "shared"])
def url(request: pytest.FixtureRequest) -> str:
    """Where the board is shared, or which one it is that is not."""
    shared = request.param == "shared"
    return str(request.getfixturevalue("redis_url") if shared else request.param)


@pytest.fixture
async def board(url: str, clock: SteppedClock, name: str) -> AsyncIterator[HoldBoard]:
    unshared: dict[str, Callable[[Clock], HoldBoard]] = {
        "local": LocalHoldBoard,
        "fake": FakeHoldBoard,
    }
    if url in unshared:
        yield unshared[url](clock)
        return
    async with AsyncExitStack() as scope:
        yield await scope.enter_async_context(
            SharedHoldBoard(
                await scope.enter_async_context(opened_store(patient(url), clock)),
                clock=clock,
                deployments=lambda: [name],
            )
        )


async def test_nothing_is_held_at_first(board: HoldBoard) -> None:
    """A board begins empty."""
    assert dict(board.holds()) == {}


async def test_a_hold_is_known_at_once(board: HoldBoard, clock: SteppedClock, name: str) -> None:
    """The very next request sees it."""
    until = clock.now() + 10.0
    board.hold(name, until)

    assert board.holds() == {name: until}


async def test_a_shorter_hold_changes_nothing(
    board: HoldBoard, clock: SteppedClock, name: str
) -> None:
    """What ends last is in force, whichever came first."""
    until = clock.now() + 10.0
    board.hold(name, until)
    board.hold(name, until - 5.0)
    assert board.holds()[name] == until

    board.hold(name, until + 5.0)
    assert board.holds()[name] == until + 5.0


async def test_a_hold_ends(board: HoldBoard, clock: SteppedClock, name: str) -> None:
    """Past holds are gone, and holding into the past holds nothing."""
    board.hold(name, clock.now() + 10.0)
    clock.ahead += 10.1
    assert name not in board.holds()

    board.hold(name, clock.now() - 1.0)
    assert name not in board.holds()


async def test_what_was_asked_stays_as_it_was(
    board: HoldBoard, clock: SteppedClock, name: str
) -> None:
    """A plan is made from one state of the board."""
    seen = board.holds()
    board.hold(name, clock.now() + 10.0)

    assert name not in seen
