from __future__ import annotations

import asyncio

import pytest

from app.planner.latency.measuring import measure
from app.planner.latency.plan import Plan, Turn, turns
from app.planner.latency.sample import Ending, Sample


class Upstreams:
    """Answers once it was asked so often at once."""

    def __init__(self, at_once: int) -> None:
        self.begun: list[Turn] = []
        self.most = 0
        self._under_way = 0
        self._barrier = asyncio.Barrier(at_once)

    async def ask(self, turn: Turn) -> Sample:
        self.begun.append(turn)
        self._under_way += 1
        self.most = max(self.most, self._under_way)
        await self._barrier.wait()
        self._under_way -= 1
        return Sample(turn.deployment, Ending.ANSWERED)


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_every_turn_is_taken_once_so_many_at_a_time(concurrency: int) -> None:
    """In the plan's order; each is told of; warm-up has ended before anything counts."""
    plan = Plan(("a", "b", "c"), requests=4, warm_up=2, concurrency=concurrency)
    upstreams, told = Upstreams(concurrency), list[Turn]()
    async with asyncio.timeout(60):
        await measure(plan, upstreams.ask, lambda turn, _: told.append(turn))
    assert upstreams.begun == list(turns(plan))
    assert upstreams.most == concurrency
    assert sorted(told, key=lambda turn: turn.number) == upstreams.begun
    assert not any(turn.counts for turn in told[:6])
