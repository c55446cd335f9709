"""A model with a PTU alone: who is refused is told the moment at which it is let in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from tests.e2e.stack import Stack, eventually, ptu_and_paygo, stack
from tests.e2e.test_failover import Told, ask

PTUS = 10
TOKENS_PER_S, OUTPUT_RATIO, BUCKET_S = PTUS * 2500 / 60, 4, 60  # gpt-4o, by Azure's sizing
OVER_S = 5.0
#: Who comes so much too early is still refused, though it takes some time to ask.
EARLY_S = 2.5
WITHIN_S = 0.25
#: Our own steps between what is measured and what is.
CLOCKS_S = 0.1


def ptu_alone(suffix: str) -> dict[str, Any]:
    """Nobody waits at the gateway, so that what is told is seen."""
    config = ptu_and_paygo(suffix, ptus=PTUS)
    config["models"] = {"gpt-4o": {"tiers": [[f"ptu-{suffix}"]]}}
    waits = dict.fromkeys(("critical", "interactive", "standard", "batch"), 0)
    return config | {"routing": {"wait_s": waits}}


@asynccontextmanager
async def filled(team: Stack, over_s: float) -> AsyncIterator[tuple[float, float]]:
    """Two answers under way that fill the bucket, and so much more.

    The first reached the bucket between the two times.
    """
    seconds = (BUCKET_S - 1, 1 + over_s)
    caps = [round(each * TOKENS_PER_S / OUTPUT_RATIO) for each in seconds]
    sent = taken = time.time()
    tasks = []
    for number, cap in enumerate(caps, 1):
        tasks.append(asyncio.create_task(ask(team, max_tokens=cap)))
        await eventually(partial(_runs, team, number))
        taken = time.time() if number == 1 else taken
    try:
        yield sent, taken
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _runs(team: Stack, number: int) -> bool:
    """Whether the PTU's bucket has taken for the first of the answers, or for both."""
    resources = team.process.resources
    used = resources.capacity.utilizations(resources.clock.now())[team.name("ptu")]
    return used > 0.5 if number == 1 else used > 1.0


def told_s(told: Told) -> float:
    """The wait of a refusal."""
    assert told.status == 429
    assert float(told.headers["retry-after"]) >= float(told.headers["retry-after-ms"]) / 1000
    return float(told.headers["retry-after-ms"]) / 1000


async def test_who_comes_back_when_told_is_let_in(redis_url: str) -> None:
    """By the moment at which Azure has room, within a quarter of a second, and not before."""
    async with (
        stack(redis_url, ptu_alone, ttft_ms=20_000) as team,
        filled(team, OVER_S) as (
            sent,
            taken,
        ),
    ):
        refused_at = time.time()
        wait = told_s(await ask(team))
        told_at = time.time()
        # What runs keeps what was reserved for it: the bucket opens so long after the first.
        assert sent + OVER_S - CLOCKS_S <= told_at + wait
        assert refused_at + wait <= taken + OVER_S + WITHIN_S
        early = await _after(refused_at + wait - EARLY_S, team)
        assert told_s(early) > 0
        back_at = told_at + wait + WITHIN_S  # the tolerance is the client's
        again = asyncio.create_task(_after(back_at, team))
        refused, _ = await asyncio.wait({again}, timeout=max(0, back_at - time.time()) + 1)
        again.cancel()
        assert not refused, "it runs, as the answers before it do"
        assert await team.served() == [], "Azure has refused nobody"


async def _after(moment: float, team: Stack) -> Told:
    await asyncio.sleep(max(0.0, moment - time.time()))
    return await ask(team, max_tokens=8)
