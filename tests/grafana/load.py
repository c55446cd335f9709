"""Callers of every kind at once: streams, repeated questions, batches, leavers, and mistakes."""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

import aiohttp
from redis.asyncio import Redis

from tests.grafana.scene import Scene

#: Of each kind of caller so many requests a second, on average.
_QUESTIONS: Final = (
    "How do I reset my password?",
    "how do i reset my password",
    "Where can I download last month's invoice?",
    "where can i download the invoice of last month?",
    "Which regions can my data be processed in?",
    "What does an hour of support cost?",
    "How do I add a colleague to my team?",
    "how can I add a colleague to my team?",
    "Is there a limit to how many files I can upload?",
    "How many files can I upload at most?",
)
_WORDS: Final = ("summarise", "what", "changed", "in", "the", "figures", "and", "why", "it", "did")
#: A peak every so often, so that the PTU is full for a while and then is not.
_WAVE_S: Final = 75.0

#: Answers of a simulation are unlike each other; these are what a cache is to be right about.
_CANNED: Final = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "gpt-4o-mini",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "It is described in the help centre."},
            }
        ],
        "usage": {"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29},
    }
)

Ask = Callable[[], Awaitable[None]]


class Callers:
    """Everybody; `statuses` is what they were told."""

    def __init__(self, scene: Scene, http: aiohttp.ClientSession) -> None:
        self._scene = scene
        self._http = http
        self._random = random.Random(7)
        self.statuses: Counter[int] = Counter()

    async def run(self, seconds: float) -> None:
        """All of them, for so long; what they began is ended."""
        kinds: tuple[tuple[Ask, float, bool], ...] = (
            (self._search, 2.2, True),
            (self._assistant, 1.5, False),
            (self._report, 0.4, True),
            (self._evaluate, 0.5, True),
            (self._trial, 1.2, False),
            (self._small, 1.5, False),
            (self._embed, 0.8, False),
            (self._leave, 0.3, False),
            (self._mistake, 0.2, False),
            (self._past_the_gateway, 0.06, False),
        )
        async with asyncio.TaskGroup() as group:
            for ask, rate, in_waves in kinds:
                group.create_task(self._repeat(ask, rate, seconds, in_waves=in_waves))
            group.create_task(self._faults(seconds))

    async def _repeat(self, ask: Ask, rate: float, seconds: float, *, in_waves: bool) -> None:
        """Ask without waiting for the answer, as callers do that do not know of each other."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.TaskGroup() as group:
            while (passed := loop.time() - began) < seconds:
                group.create_task(_forgiven(ask))
                wave = 1 + 0.9 * math.sin(2 * math.pi * passed / _WAVE_S) if in_waves else 1
                await asyncio.sleep(self._random.expovariate(rate * wave))

    async def _faults(self, seconds: float) -> None:
        """What goes wrong on the way: an outage, somebody else on the PTU, a frozen Redis."""
        await self._fault("faq-east", body=_CANNED, delay_ms=400, times=-1)
        await asyncio.sleep(seconds / 4)
        await self._freeze_redis()
        await self._fault("mini-west", status=500, times=12)
        await asyncio.sleep(seconds / 4)
        await self._fault("paygo-sweden", delay_ms=2_500, times=12)
        await self._fault("mini-sweden", usage="missing", times=3)
        await self._fault("mini-sweden", cut_after_chunks=5, times=2)
        await asyncio.sleep(seconds / 6)
        await self._freeze_redis()

    async def _fault(self, deployment: str, **fault: Any) -> None:
        body = {"deployment": deployment, **fault}
        async with self._http.post(f"{self._scene.simulator}/_sim/faults", json=body) as answer:
            assert answer.status < 300, await answer.text()

    async def _freeze_redis(self) -> None:
        async with Redis.from_url(self._scene.redis_url) as redis:
            await redis.client_pause(2_500)  # milliseconds

    async def _past_the_gateway(self) -> None:
        """Somebody uses the PTU without us, so that it is fuller than we believe."""
        url = f"{self._scene.simulator}/ptu-east/openai/v1/chat/completions"
        body = _body(self._text(300, 400), "gpt-4o", cap=400)

        async def ask() -> None:
            async with self._http.post(url, json=body, headers={"api-key": "simulated"}) as answer:
                await answer.read()

        await asyncio.gather(*(ask() for _ in range(8)))

    async def _search(self) -> None:
        await self._chat("search", self._text(40, 400), cap=self._random.randint(60, 180))

    async def _assistant(self) -> None:
        question = self._random.choice(_QUESTIONS)
        await self._chat("assistant", question, model="faq", cap=80, stream=False)

    async def _report(self) -> None:
        cap = self._random.choice([300, 400, 500, 3_000])
        await self._chat("reports", self._text(600, 1_500), cap=cap, stream=False)

    async def _evaluate(self) -> None:
        await self._chat("evals", self._text(100, 300), cap=200)

    async def _trial(self) -> None:
        await self._chat("trial", self._text(10, 60), model="gpt-4o-mini", cap=40)

    async def _small(self) -> None:
        await self._chat("search", self._text(20, 200), model="gpt-4o-mini", cap=120)

    async def _embed(self) -> None:
        body = {"model": "text-embedding-3-small", "input": self._text(20, 80)}
        await self._send("search", "embeddings", body)

    async def _leave(self) -> None:
        await self._chat("search", self._text(40, 200), cap=200, leave_after=6)

    async def _mistake(self) -> None:
        await self._chat("trial", "Hello", model="gpt-9", cap=10)
        await self._send("search", "chat/completions", {"model": "gpt-4o", "messages": "Hello"})

    async def _chat(self, tenant: str, text: str, **given: Any) -> None:
        body = _body(text, given.get("model", "gpt-4o"), cap=given["cap"])
        body["stream"] = given.get("stream", True)
        await self._send(tenant, "chat/completions", body, leave_after=given.get("leave_after"))

    async def _send(
        self, tenant: str, path: str, body: Any, *, leave_after: int | None = None
    ) -> None:
        url = f"{self._random.choice(self._scene.gateways)}/v1/{path}"
        headers = {"authorization": f"Bearer {self._scene.keys[tenant]}"}
        async with self._http.post(url, json=body, headers=headers) as answer:
            self.statuses[answer.status] += 1
            pieces = 0
            async for _ in answer.content.iter_any():
                pieces += 1
                if leave_after is not None and pieces >= leave_after:
                    return

    def _text(self, least: int, most: int) -> str:
        """So many words, unlike any other text."""
        words = self._random.choices(_WORDS, k=self._random.randint(least, most))
        return f"{self._random.getrandbits(64):x} {' '.join(words)}"


def _body(text: str, model: str, *, cap: int) -> dict[str, Any]:
    message = {"role": "user", "content": text}
    return {"model": model, "messages": [message], "max_tokens": cap, "temperature": 0}


async def _forgiven(ask: Ask) -> None:
    """A caller whose connection breaks is one of those that the dashboards are to show."""
    try:
        await ask()
    except aiohttp.ClientError:
        return
