"""Many callers' commands in one round trip, each with its own answer.

A pool of connections would make a crowd wait for its turn, a round trip each. Here whatever was
asked since the last round trip began goes out together, in the order it was asked.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any, Final, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, OutOfMemoryError, ReadOnlyError, RedisError

from app.adapters.redis.breaker import Breaker
from app.adapters.redis.connection import OPERATION_TIMEOUT_S, guarded
from app.errors import StoreUnavailable

#: Commands of one round trip. Some 0.1 ms each, they stay well within an operation's time.
_AT_ONCE: Final = 128
#: Round trips under way at once.
_SENDERS: Final = 2

Command = Sequence[bytes | str | int]


class _Asked(NamedTuple):
    command: Command
    answer: asyncio.Future[Any]


class Script:
    """A Lua script of this package, and the digest that Redis knows it by."""

    def __init__(self, name: str) -> None:
        self.text: Final = (files("app.adapters.redis") / "lua" / name).read_text("utf-8")
        self.sha: Final = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class Batch:
    """Sends commands together; open within `batch`."""

    def __init__(self, client: Redis, breaker: Breaker) -> None:
        """`breaker` is told of every round trip and decides whether there is one."""
        self._client = client
        self._breaker = breaker
        self._asked: deque[_Asked] = deque()
        self._news = asyncio.Event()

    async def call(self, command: Command, *, patience_s: float = OPERATION_TIMEOUT_S) -> Any:
        """The answer to one command. Raises StoreUnavailable, after `patience_s` at the latest.

        The command may have been carried out although no answer came in time.
        """
        asked = _Asked(command, asyncio.get_running_loop().create_future())
        self._asked.append(asked)
        self._news.set()
        try:
            async with asyncio.timeout(patience_s):
                return await asked.answer
        except TimeoutError:
            raise StoreUnavailable("The gateway's store did not answer in time.") from None

    async def script(
        self, script: Script, key: str, *args: bytes | str, patience_s: float = OPERATION_TIMEOUT_S
    ) -> Any:
        """Run a script on one key, loading it where the server does not know it (yet, or again)."""
        command = ("EVALSHA", script.sha, 1, key, *args)
        try:
            return await self.call(command, patience_s=patience_s)
        except NoScriptError:
            return await self.call(("EVAL", script.text, *command[2:]), patience_s=patience_s)

    async def _send(self) -> None:
        while True:
            await self._news.wait()
            while batch := self._next():
                await self._round_trip(batch)
            self._news.clear()

    def _next(self) -> list[_Asked]:
        """The next commands that somebody still waits for."""
        batch: list[_Asked] = []
        while self._asked and len(batch) < _AT_ONCE:
            asked = self._asked.popleft()
            if not asked.answer.done():
                batch.append(asked)
        return batch

    async def _round_trip(self, batch: list[_Asked]) -> None:
        try:
            answers = await guarded(self._breaker, lambda: self._execute(batch))
        except Exception as error:  # noqa: BLE001  # told to those who wait: a sender must go on
            answers = [error] * len(batch)
        for asked, answer in zip(batch, answers, strict=True):
            _give(asked.answer, answer)

    async def _execute(self, batch: list[_Asked]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for asked in batch:
            _ = pipeline.execute_command(*asked.command)  # queued, not sent
        answers: list[Any] = await pipeline.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, ReadOnlyError | OutOfMemoryError):
                raise answer  # the server cannot be used: the breaker's business
        return answers


def _give(waiting: asyncio.Future[Any], answer: object) -> None:
    if waiting.done():
        return
    if isinstance(answer, RedisError) and not isinstance(answer, NoScriptError):
        refused = StoreUnavailable("The gateway's store refused a command.")
        refused.__cause__ = answer
        waiting.set_exception(refused)
    elif isinstance(answer, Exception):
        waiting.set_exception(answer)
    else:
        waiting.set_result(answer)


@asynccontextmanager
async def batching(client: Redis, breaker: Breaker) -> AsyncIterator[Batch]:
    """A batch whose senders run as long as the scope is open."""
    batch = Batch(client, breaker)
    senders = [asyncio.create_task(batch._send()) for _ in range(_SENDERS)]  # noqa: SLF001  # its own factory
    try:
        yield batch
    finally:
        for sender in senders:
            sender.cancel()
        await asyncio.gather(*senders, return_exceptions=True)
