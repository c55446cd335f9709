"""What several workers think of a deployment becomes one view."""

from __future__ import annotations

import asyncio
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
from socket import AF_UNIX, socket

import uvloop

from app.adapters.unix_answers import answering
from app.adapters.workers.views import Views, view_of
from app.domain.routing.health import State, Status

WELL = State(Status.HEALTHY)


def ramping(factor: float) -> State:
    return State(Status.RAMPING, 9.0, factor)


async def test_the_worst_that_anybody_thinks_is_shown(tmp_path: Path) -> None:
    """By deployment; what a worker thought goes with it."""
    views = Views()
    told = {
        1: {"a": State(Status.EJECTED, 8.0), "b": ramping(0.5), "c": WELL},
        2: {"a": State(Status.HALF_OPEN), "b": ramping(0.2), "c": WELL},
    }

    async def one() -> bytes:
        return view_of(told[1])

    async def two() -> bytes:
        return view_of(told[2])

    async with answering(tmp_path / "1", one), answering(tmp_path / "2", two):
        for number in told:
            views.joined(number, tmp_path / str(number))
        await views.look()
    assert views.healths() == {"a": told[1]["a"], "b": ramping(0.2), "c": WELL}
    views.exited(1)
    assert views.healths() == told[2]


async def test_who_does_not_answer_thinks_what_it_thought(tmp_path: Path) -> None:
    """Nobody listens any more, or an answer is cut off."""
    views, answer = Views(), view_of({"a": ramping(0.5)})

    async def one() -> bytes:
        return answer

    views.joined(1, tmp_path / "1")
    async with answering(tmp_path / "1", one):
        await views.look()
        answer = answer[:-1]
        await views.look()
    await views.look()
    assert views.healths() == {"a": ramping(0.5)}


async def test_whose_loop_turns_is_told(tmp_path: Path) -> None:
    """Who answers, be it with nothing to say, hangs up or has gone; not who hears and is silent."""
    views, never = Views(), asyncio.Event()

    async def one() -> bytes:
        return view_of({})

    async def two() -> bytes:
        await never.wait()
        return view_of({})

    async def three() -> bytes:
        return b""  # as the kernel ends a connection that there is no file for

    async with (
        answering(tmp_path / "1", one),
        answering(tmp_path / "2", two),
        answering(tmp_path / "3", three),
    ):
        for number in (1, 2, 3, 4):
            views.joined(number, tmp_path / str(number))
        assert await views.answering(0.2) == {1, 3, 4}
        never.set()
        assert await views.answering(20.0) == {1, 2, 3, 4}


async def test_whom_there_is_no_file_to_ask_with_is_not_taken_to_hang(tmp_path: Path) -> None:
    """Else all of them would be killed because of whoever asks."""
    views = Views()

    async def one() -> bytes:
        return view_of({})

    soft, hard = getrlimit(RLIMIT_NOFILE)
    async with answering(tmp_path / "1", one):
        views.joined(1, tmp_path / "1")
        setrlimit(RLIMIT_NOFILE, (0, hard))
        try:
            assert await views.answering(20.0) == {1}
        finally:
            setrlimit(RLIMIT_NOFILE, (soft, hard))


def test_who_hears_nobody_any_more_is_silent(tmp_path: Path) -> None:
    """As many wait as may: the kernel takes no more, and the loop that serves says so at once."""
    views = Views()
    views.joined(1, tmp_path / "1")

    async def asked() -> list[set[int]]:
        return [await views.answering(0.05) for _ in range(3)]

    with socket(AF_UNIX) as hung:
        hung.bind(str(tmp_path / "1"))
        hung.listen(0)
        assert uvloop.run(asked()) == [set()] * 3
