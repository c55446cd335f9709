from __future__ import annotations

import asyncio
from collections import Counter

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


async def test_who_fails_all_of_its_warm_up_is_not_asked_again() -> None:
    """Told of, with what it said last; who was throttled, or answered once, is asked."""
    plan, asked = Plan(("dead", "busy", "shaky"), requests=4, warm_up=2), Counter[str]()
    answers = {"busy": Ending.THROTTLED, "dead": Ending.FAILED, "shaky": Ending.FAILED}
    told: list[Sample] = []

    async def ask(turn: Turn) -> Sample:
        asked[turn.deployment] += 1
        if turn.deployment == "shaky" and asked["shaky"] == 1:
            return Sample("shaky", Ending.ANSWERED)
        why = f"no {asked[turn.deployment]}"
        return Sample(turn.deployment, answers[turn.deployment], why=why)

    await measure(plan, ask, lambda _, sample: told.append(sample))
    assert asked == {"dead": 2, "busy": 6, "shaky": 6}
    assert len(told) == plan.total
    left_out = [sample for sample in told if sample.ending is Ending.LEFT_OUT]
    assert left_out == [Sample("dead", Ending.LEFT_OUT, why="no 2")] * 4
