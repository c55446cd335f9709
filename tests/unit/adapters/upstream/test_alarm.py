from __future__ import annotations

import asyncio
from math import inf

from app.adapters.upstream.alarm import Alarm


async def test_it_rings_once_when_its_time_has_come() -> None:
    """Not before, and not again."""
    loop, rung = asyncio.get_running_loop(), asyncio.Event()
    times: list[float] = []

    def ring() -> None:
        times.append(loop.time())
        rung.set()

    alarm = Alarm(loop, ring)
    due = loop.time() + 0.03
    alarm.set(due)
    async with asyncio.timeout(20):
        await rung.wait()
    await asyncio.sleep(0.05)
    assert len(times) == 1
    assert times[0] >= due - 0.002


async def test_a_later_time_needs_no_other_timer() -> None:
    """The one that is set fires early, and is set anew for what is left."""
    loop, rung = asyncio.get_running_loop(), asyncio.Event()
    alarm = Alarm(loop, rung.set)
    alarm.set(loop.time() + 0.02)
    timer = alarm._handle  # noqa: SLF001  # whether it is set is what this is about
    due = loop.time() + 0.2
    for late in range(10):
        alarm.set(due - 0.01 + late / 1000)
    assert alarm._handle is timer  # noqa: SLF001  # the same
    async with asyncio.timeout(20):
        await rung.wait()
    assert loop.time() >= due - 0.01


async def test_an_earlier_time_is_kept() -> None:
    """Whoever is less patient is not made to wait."""
    loop, rung = asyncio.get_running_loop(), asyncio.Event()
    alarm = Alarm(loop, rung.set)
    alarm.set(loop.time() + 3600)
    alarm.set(loop.time() + 0.01)
    async with asyncio.timeout(20):
        await rung.wait()


async def test_nobody_waits() -> None:
    """Infinity, and an end, mean silence."""
    loop, rung = asyncio.get_running_loop(), asyncio.Event()
    for quiet in (lambda alarm: setattr(alarm, "due", inf), Alarm.end):
        alarm = Alarm(loop, rung.set)
        alarm.set(loop.time() + 0.01)
        quiet(alarm)
    await asyncio.sleep(0.05)
    assert not rung.is_set()
