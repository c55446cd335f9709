"""Works a plan off: so many requests under way at once, each told when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from app.planner.latency.plan import Plan, Turn, turns
from app.planner.latency.sample import Sample

#: Sends the request of one turn.
Ask = Callable[[Turn], Awaitable[Sample]]
#: Is told of every request that ended.
Tell = Callable[[Turn, Sample], None]


async def measure(plan: Plan, ask: Ask, tell: Tell) -> None:
    """Send all requests in the plan's order. The warm-up has ended before the others begin."""
    for counts in (False, True):
        part = (turn for turn in turns(plan) if turn.counts is counts)
        async with asyncio.TaskGroup() as group:
            for _ in range(plan.concurrency):
                group.create_task(_work_off(part, ask, tell))


async def _work_off(part: Iterator[Turn], ask: Ask, tell: Tell) -> None:
    for turn in part:
        tell(turn, await ask(turn))
