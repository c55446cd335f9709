"""A steady stream of requests, and what its clients saw."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.e2e.stack import Stack

RATE: Final = 40  # requests a second
CHAT: Final = {
    "model": "gpt-4o",
    "max_tokens": 5,
    "messages": [{"role": "user", "content": "Still there?"}],
}


@dataclass(slots=True)
class Seen:
    """What clients saw over some time."""

    statuses: Counter[int] = field(default_factory=Counter)
    degraded: Counter[str] = field(default_factory=Counter)
    results: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def percentile(self, number: int) -> float:
        """Of the latencies, in seconds."""
        return statistics.quantiles(self.seconds, n=100)[number - 1]


@dataclass(slots=True)
class Loaded:
    """A gateway that is asked steadily. `admitted` is how many it answered with a 200."""

    team: Stack
    admitted: int = field(default=0, init=False)

    async def ask(self, seen: Seen) -> None:
        """One request, measured."""
        status = await ask(self.team, CHAT, seen)
        self.admitted += status == 200

    async def load(self, seconds: float) -> Seen:
        """A steady stream of requests, whatever becomes of them."""
        seen = Seen()
        await steadily(int(seconds * RATE), RATE, lambda: self.ask(seen))
        return seen

    async def heals(self) -> float:
        """Seconds until an answer is no longer degraded, and everything is settled."""
        began = time.monotonic()
        async with asyncio.timeout(20):
            while True:
                seen = Seen()
                await self.ask(seen)
                if not seen.degraded and 503 not in seen.statuses:
                    break
                await asyncio.sleep(0.02)
        assert await self.settled()
        return time.monotonic() - began

    async def settled(self) -> bool:
        """Whether all that was admitted is charged."""
        accounts: Any = self.team.process.resources.accounts
        return bool(await accounts.settled(30))


async def ask(team: Stack, body: Mapping[str, Any], seen: Seen) -> int:
    """One request, measured: its status."""
    url, headers = f"{team.base_url}/chat/completions", {"api-key": team.key}
    began = time.monotonic()
    async with team.http.post(url, json=body, headers=headers) as answer:
        await answer.read()
        seen.seconds.append(time.monotonic() - began)
        seen.statuses[answer.status] += 1
        if policy := answer.headers.get("x-spillgate-degraded"):
            seen.degraded[policy] += 1
        if result := answer.headers.get("x-spillgate-cache"):
            seen.results[result] += 1
        return answer.status


async def steadily(
    number: int, per_s: float, begun: Callable[[], Coroutine[None, None, None]]
) -> None:
    """Begin so many at this rate, however long those before take; return when all have ended."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.TaskGroup() as tasks:
        for each in range(number):
            await asyncio.sleep(max(0.0, began + each / per_s - loop.time()))
            tasks.create_task(begun())
