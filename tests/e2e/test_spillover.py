"""A burst over the PTU's capacity spills to PAYGO, and the PTU stays full."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from app.domain.capacity.spill import SpillReason
from app.domain.routing.attempt import Verdict
from tests.e2e.stack import Stack, ptu_and_paygo, stack

# gpt-4o: 2,500 input tokens per minute and PTU, one output token counts as four (Azure's sizing).
TOKENS_PER_S, OUTPUT_RATIO, BUCKET_S = 2500 / 60, 4.0, 60.0
CLIENTS = 12
SPILLED, PATIENCE_S = 30, 60
#: Of the requests that were sent to the PTU, the part that it may refuse: each is a wasted trip.
WASTED = 0.05
#: Between what an attempt notes and what is held, on a loop that all of this shares. Seconds.
TURN_S = 0.1


@dataclass(frozen=True, slots=True)
class Burst:
    """How long to push, seconds, into how many PTUs, with answers of how many tokens at most.

    A slow machine pushes for longer, until so many requests have spilled.
    """

    seconds: float
    ptus: int
    cap: int

    @property
    def tokens_per_s(self) -> float:
        return self.ptus * TOKENS_PER_S


async def chat(team: Stack, prompt: str, cap: int) -> None:
    """One chat stream, read to its end."""
    messages: list[Any] = [{"role": "user", "content": prompt}]
    stream = await team.openai().chat.completions.create(
        model="gpt-4o", messages=messages, max_tokens=cap, stream=True
    )
    async for _ in stream:
        pass


async def responses(team: Stack, prompt: str, cap: int) -> None:
    """One Responses stream, read to its end; Azure throttles these inside a 200."""
    stream = await team.openai().responses.create(
        model="gpt-4o", input=prompt, max_output_tokens=max(16, cap), stream=True
    )
    kinds = [event.type async for event in stream]
    assert kinds[-1] in {"response.completed", "response.incomplete"}


Ask = Callable[[Stack, str, int], Awaitable[None]]
BURSTS = [
    pytest.param(Burst(seconds=8, ptus=3, cap=16), id="8s"),
    pytest.param(Burst(seconds=60, ptus=12, cap=100), id="60s", marks=pytest.mark.long),
]


@pytest.mark.timeout(150)
@pytest.mark.parametrize("burst", BURSTS)
@pytest.mark.parametrize("ask", [chat, responses])
async def test_a_burst_spills_and_the_ptu_stays_full(
    redis_url: str, ask: Ask, burst: Burst
) -> None:
    """No client sees a 429, hardly a request is sent in vain, and the PTU stays full."""
    config = lambda suffix: ptu_and_paygo(suffix, ptus=burst.ptus)  # noqa: E731  # one fixed size
    async with stack(redis_url, config, ttft_ms=40, ptu_window_s=BUCKET_S) as team:
        began = time.time()
        await _push(team, ask, burst)
        rows = [row for row in await team.served() if row["deployment"] == team.name("ptu")]
        holds = _holds(team)
        print(_report(rows, holds, burst, began))  # noqa: T201  # the figures, shown by -rP or -s
        spilled = Counter(receipt.spill for receipt in team.receipts.kept)
        print(dict(spilled))  # noqa: T201  # as above
        assert spilled[SpillReason.PREDICTED], "the burst was too small to fill the PTU"
        refused = sum(row["outcome"] == "refused" for row in rows)
        assert refused <= WASTED * len(rows) + 4 * (WASTED * len(rows)) ** 0.5
        _hardly_asked_in_vain_while_held(team, holds)
        assert _share_served(rows, burst, began) >= 0.8


async def _push(team: Stack, ask: Ask, burst: Burst) -> None:
    began = time.monotonic()

    def goes_on() -> bool:
        took = time.monotonic() - began
        kept = team.receipts.kept
        spilled = sum(each.spill is SpillReason.PREDICTED for each in kept)
        return took < burst.seconds or (spilled < SPILLED and took < burst.seconds + PATIENCE_S)

    async def client(number: int) -> None:
        turn = 0
        while goes_on():
            turn += 1
            await ask(team, f"Client {number} asks for the {turn}th time.", burst.cap)

    async with asyncio.TaskGroup() as clients:
        for number in range(CLIENTS):
            clients.create_task(client(number))


def _holds(team: Stack) -> list[tuple[float, float]]:
    """The PTU's holds on the gateway's clock, overlapping ones joined."""
    single = sorted(
        (attempt.ended, attempt.ended + attempt.retry_after_s)
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


def _hardly_asked_in_vain_while_held(team: Stack, holds: list[tuple[float, float]]) -> None:
    """By the gateway's own clock: what it sent before it was refused may arrive afterwards.

    A hold ends sooner by what came back since: with a few PTUs one answer that is shorter than its
    reservation is half a second of them. Who is sent then is let in, but for one: an answer that
    Azure had counted when it refused, and that is read after the refusal, is given back twice.
    """
    in_vain = [
        attempt.started
        for receipt in team.receipts.kept
        for attempt in receipt.attempts
        if attempt.deployment == team.name("ptu") and attempt.verdict is Verdict.THROTTLED
    ]
    for start, end in holds:
        early = [each - start for each in in_vain if start + TURN_S < each < end - TURN_S]
        assert len(early) <= 1


def _share_served(rows: list[dict[str, Any]], burst: Burst, began: float) -> float:
    """What the PTU served, of all that its bucket could: its depth, and what drained meanwhile."""
    served = sum(
        row["input_tokens"] - row["cached_tokens"] + OUTPUT_RATIO * row["output_tokens"]
        for row in rows
        if row["status"] == 200 and row["outcome"] == "complete"
    )
    took = max(row["ended"] for row in rows) - began
    return float(served / (burst.tokens_per_s * (BUCKET_S + took)))


def _report(
    rows: list[dict[str, Any]], holds: list[tuple[float, float]], burst: Burst, began: float
) -> str:
    refused = sum(row["outcome"] == "refused" for row in rows)
    share = _share_served(rows, burst, began)
    return (
        f"PTU: {len(rows) - refused} served, {refused} refused in {len(holds)} holds, "
        f"{share:.1%} of what its bucket could"
    )
