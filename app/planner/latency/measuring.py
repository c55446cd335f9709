"""Works a plan off: so many requests under way at once, each told when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

from app.planner.latency.plan import Plan, Turn, turns
from app.planner.latency.sample import Ending, Sample

#: Sends the request of one turn.
Ask = Callable[[Turn], Awaitable[Sample]]
#: Is told of every request that ended.
Tell = Callable[[Turn, Sample], None]


async def measure(plan: Plan, ask: Ask, tell: Tell) -> None:
    """Send all requests in the plan's order. The warm-up has ended before the others begin.

    A deployment of which all of it failed is left out then: told of, and not asked.
    """
    warm_up = _WarmUp(ask)
    for counts, step in ((False, warm_up.ask), (True, warm_up.ask_who_is_warm)):
        part = (turn for turn in turns(plan) if turn.counts is counts)
        async with asyncio.TaskGroup() as group:
            for _ in range(plan.concurrency):
                group.create_task(_work_off(part, step, tell))


async def _work_off(part: Iterator[Turn], ask: Ask, tell: Tell) -> None:
    for turn in part:
        tell(turn, await ask(turn))


class _WarmUp:
    """Remembers of each deployment whether all of it failed."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._failed: dict[str, Sample] = {}
        self._well: set[str] = set()

    async def ask(self, turn: Turn) -> Sample:
        sample = await self._ask(turn)
        if sample.ending is Ending.FAILED:
            self._failed[turn.deployment] = sample
        else:
            self._well.add(turn.deployment)
        return sample

    async def ask_who_is_warm(self, turn: Turn) -> Sample:
        failed = self._failed.get(turn.deployment)
        if failed is None or turn.deployment in self._well:
            return await self._ask(turn)
        return replace(failed, ending=Ending.LEFT_OUT)
