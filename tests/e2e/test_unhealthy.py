"""Deployments that refuse, fail or break off: how little of the traffic they get, and for how long.

The simulator's ledger says who was asked when. Ejections are shortened by the configuration; their
whole course in its usual seconds is played in simulated time (`tests/properties/test_health.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from openai import APIError

from tests.e2e.stack import Stack, stack
from tests.e2e.test_failover import FOREVER, ask

CLIENTS = 10
EJECTION_S, RAMP_S = 1.0, 2.0


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


async def until(holds: Callable[[list[dict[str, Any]]], Any], team: Stack, within_s: float) -> None:
    """Wait until the ledger says so."""
    async with asyncio.timeout(within_s):
        while not holds(await team.served()):
            await asyncio.sleep(0.05)


async def share(team: Stack, deployment: str, begin: float, end: float) -> float:
    """Of the attempts of this time, those that this deployment got."""
    rows = [row for row in await team.served() if begin <= row["started"] < end]
    theirs = [row for row in rows if row["deployment"] == team.name(deployment)]
    assert len(rows) >= 30, "too little traffic to say"
    return len(theirs) / len(rows)


@pytest.mark.parametrize(
    "headers", [{}, {"retry-after": "1"}, {"retry-after-ms": "1"}], ids=["unsaid", "1 s", "1 ms"]
)
async def test_a_refusal_in_a_millisecond_attracts_nobody(
    redis_url: str, headers: dict[str, str]
) -> None:
    """The fastest answer of all gets less than 5 % of the traffic, and no client hears of it."""
    async with stack(redis_url, alike(2), ttft_ms=30) as team:
        await team.fault("a", status=429, headers=headers, times=FOREVER)
        began = time.time()
        async with traffic(team) as statuses:
            await until(lambda rows: len(rows) >= 400, team, 30)
        assert set(statuses) == {200}
        assert await share(team, "a", began, time.time()) < 0.05


@pytest.mark.parametrize(
    "fault", [{"status": 503}, {"cut_after_chunks": 1}], ids=["503", "broken streams"]
)
async def test_who_fails_is_soon_out_and_comes_back_by_a_ramp(
    redis_url: str, fault: dict[str, Any]
) -> None:
    """Out in less than 10 s, probed alone while it fails; then a growing part of the traffic."""
    async with stack(redis_url, alike(3), ttft_ms=20) as team:
        await team.fault("a", times=FOREVER, **fault)
        async with traffic(team):
            broke = time.time()
            await until(lambda rows: _asked_last(team, rows) < time.time() - 0.5, team, 10)
            out = time.time()
            await asyncio.sleep(3 * EJECTION_S)
            assert await share(team, "a", out, time.time()) < 0.05
            assert out - broke < 10
            await team.reset()
            await until(lambda rows: any(_is(team, "a", row) for row in rows), team, 10)
            back = min(row["started"] for row in await team.served() if _is(team, "a", row))
            await asyncio.sleep(2 * RAMP_S + back - time.time())
        early = await share(team, "a", back, back + RAMP_S / 4)
        late = await share(team, "a", back + RAMP_S, back + 2 * RAMP_S)
        assert early < 0.17
        assert 0.25 < late < 0.42


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


def _asked_last(team: Stack, rows: list[dict[str, Any]]) -> float:
    """When the failing deployment was asked last; now, before it was asked at all."""
    asked = [row["started"] for row in rows if _is(team, "a", row)]
    return float(max(asked, default=-1.0 if rows else time.time()))
