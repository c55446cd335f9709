from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.redis.breaker import (
    FAILURES_TO_OPEN,
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    Breaker,
    State,
)


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    def unix(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


def opened(clock: Clock, told: list[bool] | None = None) -> Breaker:
    breaker = Breaker(clock, told.append if told is not None else None)
    for _ in range(FAILURES_TO_OPEN):
        assert breaker.admits()
        breaker.failed()
    return breaker


def test_single_failures_change_nothing(clock: Clock) -> None:
    """Only failures in a row open it; a success between them starts the count anew."""
    breaker = Breaker(clock)
    for _ in range(10):
        for _ in range(FAILURES_TO_OPEN - 1):
            breaker.failed()
        breaker.succeeded()

    assert breaker.state is State.CLOSED
    assert breaker.failures_total == 10 * (FAILURES_TO_OPEN - 1)


def test_five_in_a_row_open_it(clock: Clock) -> None:
    """Then nothing is let through for a second."""
    breaker = opened(clock)
    clock.time += 0.999

    assert breaker.state is State.OPEN
    assert not breaker.admits()


def test_one_call_finds_out(clock: Clock) -> None:
    """After the pause one call goes through, and only one, until its outcome is known."""
    breaker = opened(clock)
    clock.time += 1.0

    assert [breaker.admits() for _ in range(3)] == [True, False, False]
    breaker.succeeded()
    assert [breaker.admits() for _ in range(3)] == [True, True, True]


def test_pauses_grow_to_a_limit(clock: Clock) -> None:
    """One second, then always two: a store that is back is used again soon."""
    breaker = opened(clock)
    pauses = []
    for _ in range(7):
        started = clock.time
        while not breaker.admits():
            clock.time += 0.5
        pauses.append(clock.time - started)
        breaker.failed()

    assert pauses == [1, 2, 2, 2, 2, 2, 2]


def test_a_recovery_is_forgotten(clock: Clock) -> None:
    """The next loss starts with a short pause again."""
    breaker = opened(clock)
    clock.time += 1.0
    assert breaker.admits()
    breaker.failed()
    clock.time += 2.0
    assert breaker.admits()
    breaker.succeeded()

    for _ in range(FAILURES_TO_OPEN):
        breaker.failed()
    clock.time += 1.0
    assert breaker.admits()


def test_a_call_given_up_leaves_room_for_another(clock: Clock) -> None:
    """A cancelled probe neither closes nor blocks it."""
    breaker = opened(clock)
    clock.time += 1.0
    assert breaker.admits()
    breaker.abandoned()

    assert breaker.state is State.OPEN
    assert breaker.admits()


def test_a_change_is_told_once(clock: Clock) -> None:
    """Lost once, back once, however many calls failed between."""
    told: list[bool] = []
    breaker = opened(clock, told)
    for _ in range(4):
        clock.time += LONGEST_PAUSE_S
        assert breaker.admits()
        breaker.failed()
    clock.time += LONGEST_PAUSE_S
    assert breaker.admits()
    breaker.succeeded()
    breaker.succeeded()

    assert told == [True, False]


def test_late_answers_do_no_harm(clock: Clock) -> None:
    """Calls that began before it opened may end afterwards, either way."""
    breaker = opened(clock)
    breaker.failed()
    assert breaker.state is State.OPEN
    breaker.abandoned()
    assert breaker.state is State.OPEN


@given(steps=st.lists(st.tuples(st.floats(0, 40), st.sampled_from(["ok", "fail", "give_up"]))))
def test_it_always_comes_back(steps: list[tuple[float, str]]) -> None:
    """Whatever happened, the longest pause later a call is let through, and told in turns."""
    clock, told = Clock(), list[bool]()
    breaker = Breaker(clock, told.append)
    outcomes = {"ok": breaker.succeeded, "fail": breaker.failed, "give_up": breaker.abandoned}
    for passed, outcome in steps:
        clock.time += passed
        if breaker.admits():
            outcomes[outcome]()

    clock.time += LONGEST_PAUSE_S
    assert breaker.admits()
    assert told == [number % 2 == 0 for number in range(len(told))]


def test_who_knows_that_it_is_back_need_not_wait(clock: Clock) -> None:
    """The next call is let through at once; if it fails, the pause is the first one again."""
    breaker = opened(clock)
    assert not breaker.admits()
    breaker.hurry()
    assert breaker.admits()
    breaker.failed()
    clock.time += FIRST_PAUSE_S
    assert breaker.admits()
