"""Many callers' commands in one round trip, each with its own answer.

A pool of connections would make a crowd wait for its turn, a round trip each. Here whatever was
asked since the last round trip began goes out together, in the order it was asked. A round trip has
a limit, waiting for one's turn has none: a crowd of our own is not the store's failure.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from typing import Any, Final, NamedTuple

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import (
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from app.adapters.background import background
from app.adapters.redis.breaker import Breaker, State
from app.adapters.redis.connection import OPERATION_TIMEOUT_S, cancellable
from app.adapters.redis.patience import within
from app.errors import StoreUnavailable

#: Commands of one round trip. Some 0.1 ms each, they stay well within an operation's time.
_AT_ONCE: Final = 64
#: How often a store that was lost is asked whether it is back, once the breaker lets it be asked.
_PROBE_S: Final = 0.1
#: Round trips under way at once: enough that nobody waits for another's that is not answered.
_SENDERS: Final = 4

#: Refusals that tell of the server's state rather than of the command.
_STATES: Final = frozenset({"BUSY", "MISCONF", "NOREPLICAS", "UNKILLABLE"})

Command = Sequence[bytes | str | int]


class NotSent(StoreUnavailable):
    """Nothing was sent: the command was certainly not carried out."""


class Refused(StoreUnavailable):
    """The store answered that something is wrong with this command; it will again."""


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

    def __init__(
        self,
        client: Redis | RedisCluster,
        breaker: Breaker,
        *,
        patience_s: float = OPERATION_TIMEOUT_S,
    ) -> None:
        """`breaker` is told of every round trip, each within `patience_s`, and decides of it."""
        self._client = client
        self._breaker = breaker
        self._patience_s = patience_s
        self._asked: deque[_Asked] = deque()
        self._news = asyncio.Event()
        self._closed = False

    async def call(self, command: Command) -> Any:
        """The answer to one command. Raises StoreUnavailable: NotSent at once while it is lost.

        Otherwise the command may have been carried out although no answer came in time.
        """
        if self._closed or self._breaker.state is not State.CLOSED:
            raise NotSent("The gateway's store does not answer.")
        asked = _Asked(command, asyncio.get_running_loop().create_future())
        self._asked.append(asked)
        self._news.set()
        return await asked.answer

    async def script(self, script: Script, key: str, *args: bytes | str) -> Any:
        """Run a script on one key, loading it where the server does not know it (yet, or again)."""
        try:
            return await self.call(("EVALSHA", script.sha, 1, key, *args))
        except NoScriptError:
            return await self.call(("EVAL", script.text, 1, key, *args))

    async def keep_sending(self) -> None:
        """Send what is asked, for ever; several may at once."""
        while True:
            await self._news.wait()
            while batch := self._next():
                await self._round_trip(batch)
            self._news.clear()

    async def keep_probing(self) -> None:
        """Ask a lost store whether it is back, so that no request has to; for ever."""
        while True:
            await asyncio.sleep(_PROBE_S)
            if self._breaker.state is not State.CLOSED:
                with suppress(StoreUnavailable):
                    await self._guarded([_Asked(("PING",), _nobody())])

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
            answers = await self._guarded(batch)
        except Exception as error:  # noqa: BLE001  # told to those who wait: a sender must go on
            _tell(batch, error)
        except asyncio.CancelledError:
            _tell(batch, StoreUnavailable("The gateway is closing."))
            raise
        else:
            for asked, answer in zip(batch, answers, strict=True):
                _give(asked.answer, answer)

    def close(self) -> None:
        """Have nobody wait for what will not be sent any more."""
        self._closed = True
        _tell(self._asked, NotSent("The gateway is closing."))
        self._asked.clear()

    async def _guarded(self, batch: list[_Asked]) -> list[Any]:
        if not self._breaker.admits():
            raise NotSent("The gateway's store does not answer.")
        try:
            answers = await within(self._patience_s, cancellable(self._execute(batch)))
        except (RedisError, OSError) as error:
            self._breaker.failed()
            raise StoreUnavailable("The gateway's store does not answer.") from error
        except BaseException:
            self._breaker.abandoned()
            raise
        self._breaker.succeeded()
        return answers

    async def _execute(self, batch: list[_Asked]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for asked in batch:
            _ = pipeline.execute_command(*asked.command)  # queued, not sent
        answers: list[Any] = await pipeline.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, ReadOnlyError | OutOfMemoryError):
                raise answer  # the server cannot be used: the breaker's business
        return answers


def _nobody() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


def _tell(batch: Iterable[_Asked], error: Exception) -> None:
    for asked in batch:
        _give(asked.answer, error)


def _give(waiting: asyncio.Future[Any], answer: object) -> None:
    if waiting.done():
        return
    if isinstance(answer, RedisError) and not isinstance(answer, NoScriptError):
        waiting.set_exception(_refusal(answer))
    elif isinstance(answer, Exception):
        waiting.set_exception(answer)
    else:
        waiting.set_result(answer)


def _refusal(answer: RedisError) -> StoreUnavailable:
    """What the caller is told; errors that redis-py has a class for are the server's state."""
    about_it = type(answer) is ResponseError and str(answer).partition(" ")[0] not in _STATES
    refused = (Refused if about_it else StoreUnavailable)("The gateway's store refused a command.")
    refused.__cause__ = answer
    return refused


@asynccontextmanager
async def batching(
    client: Redis | RedisCluster, breaker: Breaker, *, patience_s: float = OPERATION_TIMEOUT_S
) -> AsyncIterator[Batch]:
    """A batch whose senders run as long as the scope is open."""
    batch = Batch(client, breaker, patience_s=patience_s)
    try:
        async with background("batch", *[batch.keep_sending] * _SENDERS, batch.keep_probing):
            yield batch
    finally:
        batch.close()
