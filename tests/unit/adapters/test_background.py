"""Work that must not end while its scope is open."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.adapters.background import WORKS, background, counting_failures


class Working:
    """Work that does in its nth run what it was told, and from then on waits."""

    def __init__(self, *runs: Callable[[], Awaitable[None]]) -> None:
        self._runs = runs
        self.begun = 0
        self.ended = 0
        self.waiting = asyncio.Event()

    async def __call__(self) -> None:
        """One run."""
        self.begun += 1
        try:
            if self.begun <= len(self._runs):
                return await self._runs[self.begun - 1]()
            self.waiting.set()
            await asyncio.Event().wait()
        finally:
            self.ended += 1


async def fails() -> None:
    raise ValueError("secret words")


async def fails_otherwise() -> None:
    raise KeyError("a")


async def ends() -> None:
    """An endless work that is over is as wrong as one that failed."""


async def waits_for_what_is_given_up() -> None:
    """As does who awaits another's future: nobody cancelled the work itself."""
    given_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    given_up.cancel()
    await given_up


async def test_work_runs_as_long_as_the_scope() -> None:
    """Begun on entering, over when it is left."""
    work = Working()
    async with background("w", work):
        await asyncio.wait_for(work.waiting.wait(), 20)
        assert (work.begun, work.ended) == (1, 0)
    assert work.ended == 1


@pytest.mark.parametrize("trouble", [fails, ends, waits_for_what_is_given_up])
async def test_work_that_ends_is_begun_again(trouble: Callable[[], Awaitable[None]]) -> None:
    """Whatever ended it; counted, and told with the work's name."""
    work = Working(trouble, trouble)
    with capture_logs() as logs:
        async with background("sweeping", work, pause_s=0) as running:
            await asyncio.wait_for(work.waiting.wait(), 20)
            assert running.failures_total == 2
    assert work.begun == work.ended == 3
    assert [(log["event"], log["work"]) for log in logs] == [("background_work_failed", "sweeping")]


async def test_each_trouble_is_told_once() -> None:
    """However often it comes back; another one is told, too. Only its place is, not its words."""
    work = Working(fails, fails_otherwise, fails, fails, fails_otherwise)
    with capture_logs() as logs:
        async with background("w", work, pause_s=0):
            await asyncio.wait_for(work.waiting.wait(), 20)
    assert [log["error"] for log in logs] == ["ValueError", "KeyError"]
    assert all(log["at"].startswith("test_background.py:") for log in logs)
    assert "secret" not in str(logs)


async def test_it_pauses_before_it_begins_again() -> None:
    """A work that fails at once does not keep a core busy."""
    work = Working(fails)
    async with background("w", work, pause_s=60):
        async with asyncio.timeout(20):
            while not work.ended:
                await asyncio.sleep(0)
        for _ in range(10):
            await asyncio.sleep(0)
        assert work.begun == 1


async def test_works_of_one_scope_are_apart() -> None:
    """One fails, the other goes on."""
    failing, other = Working(fails), Working()
    async with background("w", failing, other, pause_s=0) as running:
        await asyncio.wait_for(failing.waiting.wait(), 20)
        assert (other.begun, other.ended, running.failures_total) == (1, 0, 1)
    assert (failing.ended, other.ended) == (2, 1)


async def test_failures_are_counted_by_name() -> None:
    """Of the works that were begun inside, by tasks made there too; each at 0 from its begin."""
    failing, well, outside = Working(fails, fails), Working(), Working(fails)

    async def begins() -> None:
        async with background("b", well):
            await well.waiting.wait()

    async with asyncio.timeout(30), background("outside", outside, pause_s=0):
        with counting_failures() as counted:
            async with background("a", failing, pause_s=0):
                await asyncio.create_task(begins())
                await failing.waiting.wait()
                assert counted == {"a": 2, "b": 0}
                with counting_failures() as inner:
                    async with background("c", Working()):
                        assert inner == {"c": 0}
        await outside.waiting.wait()
        assert set(counted) == {"a", "b"}


def test_all_names_of_works_are_known() -> None:
    """They are a metric's label: none is made at run time, none is forgotten, none is over."""
    app = Path(__file__).parents[3] / "app"
    trees = (ast.parse(path.read_text("utf-8")) for path in app.rglob("*.py"))
    calls = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call))
    named = [ast.literal_eval(each.args[0]) for each in calls if _is_background(each)]
    assert sorted(set(named)) == list(WORKS)


def _is_background(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "background"


async def test_what_is_raised_in_the_scope_goes_on() -> None:
    """An error as well as a cancellation; the work is over then, too."""
    work = Working()
    with pytest.raises(LookupError):
        async with background("w", work):
            raise LookupError

    async def scope() -> None:
        async with background("w", work):
            await asyncio.Event().wait()

    task = asyncio.create_task(scope())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.begun == work.ended


async def test_an_end_that_the_work_swallowed_is_the_end() -> None:
    """Whether the work returns then or fails: it is not begun again, and the scope is left."""
    for fails in (False, True):
        begun: list[bool] = []

        async def deaf(begun: list[bool] = begun, *, fails: bool = fails) -> None:
            begun.append(True)
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            if fails:
                raise ValueError("afterwards")

        async with asyncio.timeout(30), background("deaf", deaf, pause_s=0):
            while not begun:
                await asyncio.sleep(0)
        assert begun == [True]
