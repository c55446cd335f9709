"""Deployments that refuse, fail or break off: how little of the traffic they get, and for how long.

The simulator's ledger says who was asked when. Ejections are shortened by the configuration; their
whole course in its usual seconds is played in simulated time (`tests/properties/test_health.py`).

How much traffic there is depends on the machine: a part of it is compared by as many standard
deviations as no chance exceeds, and what happens once in so many seconds is counted by seconds.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from math import inf, sqrt
from typing import Any, NamedTuple

import pytest
from openai import APIError

from tests.e2e.stack import DEADLINE_S, Stack, stack
from tests.e2e.test_failover import FOREVER, ask

CLIENTS = 10
EJECTION_S, RAMP_S = 1.0, 2.0
#: Attempts by which a part is told from another.
ENOUGH = 200


def alike(count: int, **sections: Any) -> Callable[[str], dict[str, Any]]:
    """Deployments a, b, c, … side by side in one tier."""

    def config(suffix: str) -> dict[str, Any]:
        names = [f"{letter}-{suffix}" for letter in "abcdefgh"[:count]]
        usual = {
            "kind": "paygo",
            "endpoint": "https://x.openai.azure.com",
            "model": "gpt-4o",
            "deployment": "gpt-4o",
            "auth": {"api_key": "k"},
            "tpm": 100_000_000,
        }
        health = {"ejection_s": EJECTION_S, "longest_ejection_s": EJECTION_S, "ramp_s": RAMP_S}
        return {
            "deployments": {name: dict(usual) for name in names},
            "models": {"gpt-4o": {"tiers": [names]}},
            "routing": {"health": health},
        } | sections

    return config


@asynccontextmanager
async def traffic(team: Stack) -> AsyncIterator[Counter[int]]:
    """Clients that ask for streams one after the other; how many got which status, 0: broken."""
    statuses: Counter[int] = Counter()

    async def client() -> None:
        while True:
            statuses[await streamed(team)] += 1

    clients = [asyncio.create_task(client()) for _ in range(CLIENTS)]
    try:
        yield statuses
    finally:
        for each in clients:
            each.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
    for each in clients:
        with suppress(asyncio.CancelledError):
            each.result()


async def streamed(team: Stack) -> int:
    """The status of one stream that was read to its end; 0 where it broke off."""
    try:
        stream = await team.openai().chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "Hi"}], max_tokens=8, stream=True
        )
        async for _ in stream:
            pass
    except APIError as error:
        return int(getattr(error, "status_code", 0))
    return 200


async def until(holds: Callable[[list[dict[str, Any]]], Any], team: Stack) -> None:
    """Wait until the ledger says so."""
    async with asyncio.timeout(3 * DEADLINE_S):
        while not holds(await team.served()):
            await asyncio.sleep(0.05)


class Part(NamedTuple):
    """Of the attempts of some time, those that one deployment got."""

    its: int
    of: int

    def chance(self, share: float) -> float:
        """By how many attempts this may differ from a share, by chance alone: four sigmas."""
        return 4 * sqrt(self.of * share * (1 - share)) + 1

    def at_most(self, share: float) -> bool:
        """Whether it is no more than a share, as far as so few attempts can say."""
        return self.its <= self.of * share + self.chance(share)

    def at_least(self, share: float) -> bool:
        """Whether it is no less than a share, as far as so few attempts can say."""
        return self.its >= self.of * share - self.chance(share)


async def part(team: Stack, deployment: str, begin: float, end: float = inf) -> Part:
    """What a deployment got of this time."""
    rows = [row for row in await team.served() if begin <= row["started"] < end]
    return Part(sum(_is(team, deployment, row) for row in rows), len(rows))


@pytest.mark.parametrize(
    "headers", [{}, {"retry-after": "1"}, {"retry-after-ms": "1"}], ids=["unsaid", "1 s", "1 ms"]
)
async def test_a_refusal_in_a_millisecond_attracts_nobody(
    redis_url: str, headers: dict[str, str]
) -> None:
    """The fastest answer of all gets hardly any traffic, and no client hears of it.

    5 % of what was asked, and a few each second: its holds end by the clock, however slow the rest.
    """
    async with stack(redis_url, alike(2), ttft_ms=30) as team:
        await team.fault("a", status=429, headers=headers, times=FOREVER)
        began = time.time()
        async with traffic(team) as statuses:
            # It begins with some ten holds that double from a millisecond.
            await until(lambda rows: len(rows) >= 3 * ENOUGH, team)
        assert set(statuses) == {200}
        its, asked = await part(team, "a", began)
        assert its <= 0.05 * asked + 3 * (time.time() - began)


@pytest.mark.parametrize(
    ("fault", "meanwhile"),
    [({"status": 503}, 0.0), ({"cut_after_chunks": 1}, 0.15)],
    ids=["503", "broken streams"],
)
async def test_who_fails_is_soon_out_and_comes_back_by_a_ramp(
    redis_url: str, fault: dict[str, Any], meanwhile: float
) -> None:
    """Out after a few, one probe an ejection while it fails; then a growing part of the traffic.

    `meanwhile` is what it may get of the traffic between the beginning of a probe and its failure:
    a stream that is going to break begins well. When it is back, who answers sooner by the clock
    decides: of three, one is among the two that are compared for two thirds of the requests, and a
    part of a tenth, as at the beginning of the ramp, is far from a third.
    """
    async with stack(redis_url, alike(3), ttft_ms=20) as team:
        await team.fault("a", times=FOREVER, **fault)
        async with traffic(team):
            await until(lambda rows: _is_out(team, rows), team)
            out = time.time()
            await asyncio.sleep(3 * EJECTION_S)
            await until(lambda rows: sum(row["started"] >= out for row in rows) >= CLIENTS, team)
            probes = (time.time() - out) / EJECTION_S + 2
            its, asked = await part(team, "a", out)
            assert Part(round(its - probes), asked).at_most(meanwhile)
            await team.reset()
            await until(lambda rows: any(_is(team, "a", row) for row in rows), team)
            back = min(row["started"] for row in await team.served() if _is(team, "a", row))
            since = back + 1.5 * RAMP_S  # a ramp begins with an answer, which may be late
            await until(lambda rows: sum(row["started"] >= since for row in rows) >= ENOUGH, team)
        assert (await part(team, "a", back, back + RAMP_S / 4)).at_most(0.25 / 2.25)
        whole = await part(team, "a", since)
        assert whole.at_most(2 / 3)
        assert whole.at_least(1 / 4)


async def test_who_fails_alone_is_tried_all_the_same(redis_url: str) -> None:
    """There is nobody else to ask: each request asks it, and the first that it serves is served."""
    async with stack(redis_url, alike(1)) as team:
        await team.fault("a", status=503, times=FOREVER)
        statuses = [(await ask(team)).status for _ in range(30)]
        assert set(statuses) == {503}
        assert len(await team.served()) >= 30
        await team.reset()
        assert (await ask(team)).status == 200


async def test_an_outage_is_not_doubled_by_retries(redis_url: str) -> None:
    """All deployments fail: 200 requests cause 40 attempts after errors, and 3, at most."""
    async with stack(redis_url, alike(4)) as team:
        for name in "abcd":
            await team.fault(name, status=503, times=FOREVER)
        left = iter(range(200))

        async def client() -> list[int]:
            return [(await ask(team)).status for _ in left]

        statuses = [
            each for some in await asyncio.gather(*(client() for _ in range(10))) for each in some
        ]
        assert statuses == [503] * 200
        assert 200 <= len(await team.served()) <= 200 + 0.2 * 200 + 3


def _is(team: Stack, deployment: str, row: dict[str, Any]) -> bool:
    return bool(row["deployment"] == team.name(deployment))


def _is_out(team: Stack, rows: list[dict[str, Any]]) -> bool:
    """Whether the failing deployment was passed by as often as chance alone never would."""
    asked = [row["started"] for row in rows if _is(team, "a", row)]
    since = [row for row in rows if row["started"] > max(asked, default=inf)]
    return len(since) >= 3 * CLIENTS
