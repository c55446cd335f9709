"""A PTU refuses once, out of the blue: its word on how long is kept, and taken at its word."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from app.domain.capacity.spill import SpillReason
from tests.e2e.stack import Stack, ptu_and_paygo, stack

#: Of the machine's own: who comes so much later finds the hold over, and far from four seconds old.
LATER_S = 0.3


async def test_after_an_odd_refusal_the_ptu_is_asked_again_at_once(redis_url: str) -> None:
    """While its hold lasts nobody does, and what it said of the time is taken at its word."""
    async with stack(redis_url, ptu_and_paygo) as team:
        assert await _served_by(team) == ("ptu", SpillReason.NONE)
        await team.fault("ptu", status=429, headers={"retry-after-ms": "1000"})
        assert await _served_by(team) == ("paygo", SpillReason.THROTTLED)
        refused = time.time()
        spilled = await _served_by(team)
        if time.time() < refused + 1.0:
            assert spilled == ("paygo", SpillReason.HELD)
        await asyncio.sleep(refused + 1.0 + LATER_S - time.time())
        assert await _served_by(team) == ("ptu", SpillReason.NONE)
        assert await _served_by(team) == ("ptu", SpillReason.NONE)


async def _served_by(team: Stack) -> tuple[str, SpillReason]:
    messages: list[Any] = [{"role": "user", "content": "Hello"}]
    answer = await team.openai().chat.completions.with_raw_response.create(
        model="gpt-4o", messages=messages, max_tokens=8
    )
    receipt = await team.receipt(answer.headers["x-request-id"])
    return answer.headers["x-spillgate-deployment"].partition("-")[0], receipt.spill
