"""A burst over the PTU's capacity spills to PAYGO, and the PTU stays full."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from app.domain.attempt import Verdict
from tests.e2e.stack import Stack, ptu_and_paygo, stack

# gpt-4o: 2,500 input tokens per minute and PTU, one output token counts as four (Azure's sizing).
PTUS, TOKENS_PER_S, OUTPUT_RATIO = 12, 12 * 2500 / 60, 4.0
CLIENTS = 12
#: What was on its way when the hold began, on a loop that all of this shares. Seconds.
IN_FLIGHT_S = 0.1
#: How soon a full house of clients asks again once a hold ends. Seconds.
AT_ONCE_S = 0.5


@dataclass(frozen=True, slots=True)
class Burst:
    """How long to push, into a bucket how deep; both in seconds."""

    seconds: float
    window_s: float


async def chat(team: Stack, prompt: str) -> None:
    """One chat stream, read to its end."""
    messages: list[Any] = [{"role": "user", "content": prompt}]
    stream = await team.openai().chat.completions.create(
        model="gpt-4o", messages=messages, max_tokens=100, stream=True
    )
    async for _ in stream:
        pass


async def responses(team: Stack, prompt: str) -> None:
    """One Responses stream, read to its end; Azure throttles these inside a 200."""
    stream = await team.openai().responses.create(
        model="gpt-4o", input=prompt, max_output_tokens=100, stream=True
    )
    kinds = [event.type async for event in stream]
    assert kinds[-1] in {"response.completed", "response.incomplete"}


BURSTS = [
    pytest.param(Burst(seconds=8, window_s=4), id="8s"),
    pytest.param(Burst(seconds=60, window_s=60), id="60s", marks=pytest.mark.long),
]


@pytest.mark.timeout(150)
@pytest.mark.parametrize("burst", BURSTS)
@pytest.mark.parametrize("ask", [chat, responses])
async def test_a_burst_spills_and_the_ptu_stays_full(
    redis_url: str, ask: Callable[[Stack, str], Awaitable[None]], burst: Burst
) -> None:
    """No client sees a 429; the PTU is never asked while held, at once after, and stays used."""
    config = lambda suffix: ptu_and_paygo(suffix, ptus=PTUS)  # noqa: E731  # one fixed size
    async with stack(redis_url, config, ttft_ms=40, ptu_window_s=burst.window_s) as team:
        began = time.time()
        await _push(team, ask, began + burst.seconds)
        rows = [row for row in await team.served() if row["deployment"] == team.name("ptu")]
        holds = _holds(team)
        print(_report(rows, holds, burst, began))  # noqa: T201  # the figures, shown by -rP or -s
        assert holds, "the burst was too small to fill the PTU"
        _never_asked_while_held(rows, holds)
        _asked_again_at_once(rows, holds, began + burst.seconds)
        assert _share_served(rows, burst, began) >= 0.8


async def _push(team: Stack, ask: Callable[[Stack, str], Awaitable[None]], until: float) -> None:
    async def client(number: int) -> None:
        turn = 0
        while time.time() < until:
            turn += 1
            await ask(team, f"Client {number} asks for the {turn}th time.")

    async with asyncio.TaskGroup() as clients:
        for number in range(CLIENTS):
            clients.create_task(client(number))


def _holds(team: Stack) -> list[tuple[float, float]]:
    """The PTU's holds in Unix time, overlapping ones joined."""
    offset = time.time() - time.monotonic()
    single = sorted(
        (attempt.ended + offset, attempt.ended + offset + attempt.retry_after_s)
        for receipt in team.receipts.kept
        for attempt in receipt.attempts
        if attempt.deployment == team.name("ptu")
        and attempt.verdict is Verdict.THROTTLED
        and attempt.retry_after_s is not None
    )
    joined: list[tuple[float, float]] = []
    for start, end in single:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _never_asked_while_held(rows: list[dict[str, Any]], holds: list[tuple[float, float]]) -> None:
    asked = [row["started"] for row in rows]
    early = [
        at for at in asked for start, end in holds if start + IN_FLIGHT_S < at < end - IN_FLIGHT_S
    ]
    assert not early


def _asked_again_at_once(
    rows: list[dict[str, Any]], holds: list[tuple[float, float]], until: float
) -> None:
    asked = sorted(row["started"] for row in rows)
    for (_, end), _next in pairwise([*holds, (until, until)]):
        if end + AT_ONCE_S < until:
            after = [at for at in asked if at >= end - IN_FLIGHT_S]
            assert after, "the PTU was never asked again"
            assert after[0] - end < AT_ONCE_S


def _share_served(rows: list[dict[str, Any]], burst: Burst, began: float) -> float:
    """What the PTU served, of all that its bucket could: its depth, and what drained meanwhile."""
    served = sum(
        row["input_tokens"] - row["cached_tokens"] + OUTPUT_RATIO * row["output_tokens"]
        for row in rows
        if row["status"] == 200 and row["outcome"] == "complete"
    )
    took = max(row["ended"] for row in rows) - began
    return float(served / (TOKENS_PER_S * (burst.window_s + took)))


def _report(
    rows: list[dict[str, Any]], holds: list[tuple[float, float]], burst: Burst, began: float
) -> str:
    refused = sum(row["outcome"] == "refused" for row in rows)
    share = _share_served(rows, burst, began)
    return (
        f"PTU: {len(rows) - refused} served, {refused} refused in {len(holds)} holds, "
        f"{share:.1%} of what its bucket could"
    )
