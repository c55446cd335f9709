"""What a command to Redis costs the event loop: `python -m tests.benchmarks.redis_connection`.

An embedded Redis, and callers who each await one command after the other, of a reservation's size.
Three ways in turn, by processor time of this process: one multiplexed connection, as the gateway
has it; pipelines of redis-py, as the gateway had it; and redis-py's own calls, each on a connection
of a pool. Redis works in another process and is not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import uvloop
from redis.asyncio import Redis

from app.adapters.background import background
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries
from tests.fakes.changed import replace
from tests.fakes.clock import FakeClock
from tests.fakes.patient import patient_batch, patient_client

CALLERS: Final = (1, 8, 32, 256)
#: Answers as long as it is asked, which is what the account's script gets: some 500 bytes.
SCRIPT: Final = "return ARGV[2]"
ARGUMENT: Final = b"x" * 500
_AT_ONCE: Final = 64
_SENDERS: Final = 4

Command = tuple[bytes | str | int, ...]
Call = Callable[[Command], Awaitable[Any]]


class Pipelines:
    """What was asked since the last round trip began travels in one pipeline; four at once."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._asked: deque[tuple[Command, asyncio.Future[Any]]] = deque()
        self._news = asyncio.Event()

    async def call(self, command: Command) -> Any:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked.append((command, answer))
        self._news.set()
        return await answer

    async def keep_sending(self) -> None:
        while True:
            await self._news.wait()
            while self._asked:
                count = min(len(self._asked), _AT_ONCE)
                await self._send([self._asked.popleft() for _ in range(count)])
            self._news.clear()

    async def _send(self, batch: list[tuple[Command, asyncio.Future[Any]]]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for command, _ in batch:
            _ = pipeline.execute_command(*command)
        answers = await asyncio.ensure_future(pipeline.execute(raise_on_error=False))
        for (_, waiting), answer in zip(batch, answers, strict=True):
            waiting.set_result(answer)


@asynccontextmanager
async def ways(client: Redis) -> AsyncIterator[dict[str, Call]]:
    """The three of them, open."""
    async with AsyncExitStack() as opened:
        batch = await opened.enter_async_context(patient_batch(client, FakeClock()))
        pipelines = Pipelines(client)
        senders = [pipelines.keep_sending] * _SENDERS
        await opened.enter_async_context(background("batch", *senders))
        yield {
            "multiplexed": batch.call,
            "pipelines": pipelines.call,
            "pool": lambda command: client.execute_command(*command),  # type: ignore[no-untyped-call]  # redis-py's own
        }


async def cost_us(call: Call, command: Command, callers: int, commands: int) -> float:
    """Processor time of one command, in microseconds."""

    async def ask() -> None:
        for _ in range(max(1, commands // callers)):
            assert await call(command) == ARGUMENT

    began = time.process_time()
    await asyncio.gather(*(ask() for _ in range(callers)))
    return (time.process_time() - began) / (max(1, commands // callers) * callers) * 1e6


async def measure(rounds: int, commands: int) -> None:
    """Rounds of all ways in turn; the median of each, and the least."""
    binaries = replace(installed_binaries(), search=None)
    with tempfile.TemporaryDirectory() as directory:
        async with (
            embedded_redis(Path(directory), binaries=binaries) as server,
            patient_client(server.url) as client,
        ):
            sha = await client.script_load(SCRIPT)
            command: Command = ("EVALSHA", sha, 1, "key", "reserve", ARGUMENT)
            async with ways(client) as calls:
                for callers in CALLERS:
                    taken: dict[str, list[float]] = {name: [] for name in calls}
                    for _ in range(rounds):
                        for name, call in calls.items():
                            taken[name].append(await cost_us(call, command, callers, commands))
                    for name, times in taken.items():
                        _print(callers, name, times)


def _print(callers: int, name: str, times: list[float]) -> None:
    median, least = statistics.median(times), min(times)
    print(f"{callers:>4} callers  {name:<12} {median:6.1f} us a command, at least {least:6.1f}")  # noqa: T201  # the figures


def main() -> int:
    """Measure, as many times as is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--commands", type=int, default=5000, help="of each round")
    given = parser.parse_args()
    uvloop.run(measure(given.rounds, given.commands))
    return 0


if __name__ == "__main__":
    sys.exit(main())
