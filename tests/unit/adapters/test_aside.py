"""Work that nobody waits for."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from app.adapters.aside import Aside, aside


async def test_it_is_done() -> None:
    """Without anybody waiting."""
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    async with aside() as works:
        assert works.begin(work)
        await works.idle()
        assert done == [1]


async def test_no_more_than_so_much_at_a_time() -> None:
    """What is too much is not begun, and counted; room that is free again is used."""
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    async with aside(most=2) as works:
        assert [works.begin(wait) for _ in range(3)] == [True, True, False]
        assert works.refused_total == 1
        gate.set()
        await works.idle()
        assert works.begin(wait)


async def test_the_end_waits_for_nothing() -> None:
    """What is under way is cancelled, and has ended when the scope is left."""
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("given up")

    async with aside() as works:
        works.begin(work)
        await asyncio.sleep(0)
    assert ended == ["given up"]
    assert not works.begin(work)


async def test_errors_are_counted_and_named_once() -> None:
    """Not in their own words, which may hold what somebody asked."""

    async def fail() -> None:
        raise ValueError("a secret")

    works = Aside()
    with capture_logs() as logs:
        works.begin(fail)
        works.begin(fail)
        await works.idle()
        await asyncio.sleep(0)
    assert works.failed_total == 2
    assert [(each["event"], each["error"]) for each in logs] == [("aside_failed", "ValueError")]
