"""Two figures of docs/scale.md: what hearing another worker costs, and how long a ledger row is.

`python -m tests.benchmarks.scaling`. Processor time to be woken up by a message about one PTU with
five tenants, to read it and to take it in, where workers tell theirs 200 times a second each
through Redis: the least of three rounds, by how many they are, and once as redis-py hears. And the
bytes of the row of an answered chat request.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

import uvloop
from msgspec.structs import replace
from redis import Redis as BlockingRedis
from redis.asyncio import Redis

from app.adapters.redis.capacity import _ENCODER, Message, _read
from app.adapters.redis.connection import Place, subscribed, subscribing_client
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries
from app.domain.capacity.peers import DeploymentNews
from app.domain.capacity.provisioned import Provisioned, PtuCapacity
from app.domain.capacity.shares import Claim
from app.domain.ledger.ledger_row import LedgerRow, RowKind, encode

_ROUNDS: Final = 3
_PER_S: Final = 200
_SECONDS: Final = 2.0
_STEP_S: Final = 0.001
_CHANNEL: Final = "benchmark"
_TENANTS: Final = tuple(f"tenant-{number}" for number in range(5))

#: Hears the channel as long as its scope is open.
Hears = Callable[[Callable[[bytes], None]], AbstractAsyncContextManager[object]]


def _message(workers: int) -> bytes:
    news = DeploymentNews(
        total=1.0,
        fresh=0.5,
        calls=5,
        taken=dict.fromkeys(_TENANTS, 0.1),
        asked=[Claim(tenant) for tenant in _TENANTS],
        heard={f"replica-{number:08x}": 1.5 for number in range(workers - 1)},
        returned=0.3,
        age_s=100.0,
    )
    return _ENCODER.encode(Message("replica-ffffffff", {"ptu-east": news}))


def _tell(url: str, workers: int) -> None:
    """Another process: what all of them say in a millisecond together, as a busy loop finds it."""
    data, told = _message(workers), 0
    with BlockingRedis.from_url(url) as client:
        began = time.monotonic()
        while (passed := time.monotonic() - began) < _SECONDS:
            due = int(passed * _PER_S * workers)
            together = client.pipeline(transaction=False)
            for _ in range(due - told):
                together.publish(_CHANNEL, data)
            together.execute()
            told = due
            time.sleep(_STEP_S)


async def hearing_us(url: str, workers: int, hears: Hears) -> float:
    """Microseconds for one message."""
    ptu, number = Provisioned(PtuCapacity(40_000.0, 4.0), "replica-0", 0.0), 0

    def take(data: bytes) -> None:
        nonlocal number
        number += 1
        for news in _read(data).news.values():
            ptu.hear(f"replica-{number % workers}", news, number / 1000)

    async with hears(take):
        teller = multiprocessing.get_context("spawn").Process(target=_tell, args=(url, workers))
        teller.start()
        while not number and teller.is_alive():
            await asyncio.sleep(_STEP_S)
        began, before = time.process_time(), number
        await asyncio.to_thread(teller.join)
        return (time.process_time() - began) / (number - before) * 1e6


@asynccontextmanager
async def _by_redis_py(
    client: Redis, take: Callable[[bytes], None]
) -> AsyncIterator[asyncio.Task[None]]:
    async def hear() -> None:
        while True:
            message = await subscription.get_message(timeout=1.0)
            if message is not None and message["type"] == "message":
                take(message["data"])

    async with client.pubsub() as subscription:
        await subscription.subscribe(_CHANNEL)
        task = asyncio.create_task(hear())
        try:
            yield task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def row_bytes() -> int:
    """Of the row of an answered request."""
    row = LedgerRow(
        id="0123456789abcdef01234567",
        kind=RowKind.SETTLED,
        at=1_795_000_000.123,
        tenant="search-team",
        request_id="req_0123456789abcdef01234567",
        key_id="Z8ijuOYk24",
        model="gpt-4o",
        deployment="paygo-sweden",
        deployment_kind="paygo",
        operation="chat_completions",
        status=200,
        outcome="finished",
        input=138,
        output=100,
        nano_usd=1_345_000,
        reserved_tokens=338,
        reserved_nano_usd=2_345_000,
        started_at=1_795_000_000.001,
        duration=1.234567,
        attempts=1,
        day="2026-11-21",
        hour="2026-11-21T21",
    )
    return len(encode(row))


async def measure() -> None:
    """Print what hearing costs."""
    binaries = replace(installed_binaries(), search=None)
    with tempfile.TemporaryDirectory() as directory:
        async with (
            embedded_redis(Path(directory), binaries=binaries) as server,
            subscribing_client(Place(server.url)) as client,
        ):
            ours: Hears = partial(subscribed, client, _CHANNEL)
            theirs: Hears = partial(_by_redis_py, client)
            for workers, by, hears in (
                (2, "", ours),
                (16, "", ours),
                (16, ", heard by redis-py", theirs),
                (32, "", ours),
                (64, "", ours),
                (128, "", ours),
            ):
                least = min([await hearing_us(server.url, workers, hears) for _ in range(_ROUNDS)])
                sys.stdout.write(f"{workers:4} workers: {least:.1f} us a message{by}\n")
                sys.stdout.flush()


def main() -> None:
    """Print them."""
    uvloop.run(measure())
    sys.stdout.write(f"{row_bytes()} bytes a row\n")


if __name__ == "__main__":
    main()
