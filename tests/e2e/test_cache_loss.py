"""A gateway under load while what its cache needs freezes or is gone: every request is answered.

The cache has a Redis of its own here, so that what is measured is the cache's doing. `make freezes`
plays each for a minute, `make test` for two seconds.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
from redis.asyncio import Redis

from app.adapters.embedder.local import Encoder
from app.adapters.embedder.threaded import ThreadedEmbedder
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries
from app.adapters.redis.semantic_index import SemanticIndex
from tests.e2e.stack import Stack, eventually, ptu_and_paygo, stack
from tests.e2e.steady_load import Seen, ask, steadily

pytestmark = [
    pytest.mark.skipif(
        installed_binaries().server is None, reason="no embedded Redis server for this machine"
    ),
    pytest.mark.timeout(300),
]
RATE: Final = 25  # requests a second
ADDED_S: Final = 0.25  # what a frozen dependency may add to the slowest hundredth
A_MINUTE: Final = 60.0
LENGTHS: Final = [
    pytest.param(2.0, id="2 s", marks=pytest.mark.alone),
    pytest.param(A_MINUTE, id="60 s", marks=pytest.mark.long),
]


@dataclass(slots=True)
class Site:
    """A gateway, and the Redis that its cache alone is in."""

    team: Stack
    redis: Redis
    pid: int
    numbers: Any = field(default_factory=lambda: count(1))

    @property
    def index(self) -> SemanticIndex:
        """The index by meaning."""
        index = self.team.process.resources.cached.answers.index
        assert index is not None
        return index

    async def ask(self, prompt: str, seen: Seen) -> None:
        """One request, measured."""
        body = {
            "model": "gpt-4o",
            "max_tokens": 5,
            "messages": [{"role": "user", "content": prompt}],
        }
        await ask(self.team, body, seen)

    async def load(self, seconds: float) -> Seen:
        """A steady stream of requests, each another question, whatever becomes of them."""
        seen = Seen()

        def next_one() -> Coroutine[None, None, None]:
            number = next(self.numbers)
            return self.ask(f"How many apples has the farmer in house number {number}?", seen)

        await steadily(max(100, int(seconds * RATE)), RATE, next_one)
        return seen

    async def result(self, prompt: str) -> str:
        """What an answer says of the cache."""
        seen = Seen()
        await self.ask(prompt, seen)
        (found,) = seen.results
        return found

    async def comes_back(self) -> None:
        """Until the same and what means the same are answered from the cache again."""
        async with asyncio.timeout(60):
            while await self.result("How do I bake a simple bread?") != "exact":
                await asyncio.sleep(0.1)
            for number in count():
                prompt = f"how do i bake a simple bread{'?' * (number % 2)}{' ' * number}"
                if await self.result(prompt) == "semantic":
                    return
                await asyncio.sleep(0.1)


@asynccontextmanager
async def site(directory: Path, redis_url: str) -> AsyncIterator[Site]:
    """All running, the model loaded, the index there."""
    async with embedded_redis(directory) as server, Redis.from_url(server.url) as redis:
        pid = int((await redis.info("server"))["process_id"])
        config = {
            "redis": {"url": redis_url, "cache_url": server.url, "operation_timeout_ms": 5000},
            "cache": {"exact": {"enabled": True}, "semantic": {"enabled": True}},
        }
        async with stack(redis_url, lambda suffix: ptu_and_paygo(suffix) | config) as team:
            here = Site(team, redis, pid)
            await eventually(lambda: here.index.trouble is None)
            try:
                yield here
            finally:
                os.kill(pid, signal.SIGCONT)


async def compared(here: Site, seconds: float, before: Seen) -> Seen:
    """What was seen while something was frozen, held against what was seen before."""
    during = await here.load(seconds)
    was, came = (each.percentile(99) * 1000 for each in (before, during))
    print(f"p99 {was:.0f} -> {came:.0f} ms, {dict(during.results)}")  # noqa: T201  # for `make freezes`
    assert set(during.statuses) == {200}
    # Of a hundred requests the slowest are a busy machine's; of a minute's they are the gateway's.
    judged = 99 if seconds >= A_MINUTE else 80
    assert during.percentile(judged) <= before.percentile(judged) + ADDED_S
    return during


@pytest.mark.parametrize("seconds", LENGTHS)
async def test_a_frozen_cache_costs_milliseconds(
    redis_url: str, tmp_path: Path, seconds: float
) -> None:
    """Its Redis is asked in vain a few times, and then not at all until it answers again."""
    async with site(tmp_path, redis_url) as here:
        before = await here.load(2)
        os.kill(here.pid, signal.SIGSTOP)
        during = await compared(here, seconds, before)
        assert during.results["exact"] == during.results["semantic"] == 0
        os.kill(here.pid, signal.SIGCONT)
        await here.comes_back()


@pytest.mark.parametrize("seconds", LENGTHS)
async def test_a_frozen_embedder_costs_milliseconds(
    redis_url: str, tmp_path: Path, seconds: float
) -> None:
    """While one text is stuck the others are not even tried; the exact cache goes on."""
    async with site(tmp_path, redis_url) as here:
        before = await here.load(2)
        await here.result("How do I bake a simple bread?")
        thaw = frozen(here)
        during = await compared(here, seconds, before)
        assert during.results["semantic"] == 0
        await here.team.process.resources.cached.answers.settled()
        assert await here.result("How do I bake a simple bread?") == "exact"
        thaw.set()
        await here.comes_back()


@pytest.mark.parametrize("seconds", LENGTHS)
async def test_a_dropped_index_is_made_again(
    redis_url: str, tmp_path: Path, seconds: float
) -> None:
    """Until then nothing is found by meaning, and all the rest goes on."""
    async with site(tmp_path, redis_url) as here:
        before = await here.load(2)
        name = here.index.name
        await here.redis.ft(name).dropindex()
        await compared(here, seconds, before)
        await here.comes_back()


@pytest.mark.parametrize("seconds", LENGTHS)
async def test_an_emptied_cache_is_filled_again(
    redis_url: str, tmp_path: Path, seconds: float
) -> None:
    """Flushed, its scripts and its index forgotten."""
    async with site(tmp_path, redis_url) as here:
        before = await here.load(2)
        await here.redis.flushall()
        await here.redis.script_flush()
        await compared(here, seconds, before)
        await here.comes_back()


def frozen(here: Site) -> threading.Event:
    """Have the model stop in the middle of its work until the event is set."""
    meaning = here.team.process.resources.cached.meaning
    assert meaning is not None
    embedder: Any = meaning.embedder
    threaded: ThreadedEmbedder = embedder._embedder  # noqa: SLF001  # no port freezes a model
    thaw, encoder = threading.Event(), threaded._encoder  # noqa: SLF001
    assert encoder is not None
    threaded._encoder = _Frozen(encoder, thaw)  # noqa: SLF001
    return thaw


class _Frozen:
    """A model that is stuck."""

    def __init__(self, encoder: Encoder, thaw: threading.Event) -> None:
        self.dimensions = encoder.dimensions
        self._encoder = encoder
        self._thaw = thaw

    def encode(self, texts: Sequence[str]) -> list[bytes]:
        self._thaw.wait()
        return self._encoder.encode(texts)
