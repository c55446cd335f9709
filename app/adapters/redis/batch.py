"""Many callers' commands over one connection, each with its own answer.

A pool of connections would make a crowd wait for its turn, a round trip each. Here whatever was
asked within one turn of the event loop goes out in one write, in the order it was asked, whether or
not earlier commands are answered yet. What was sent has a limit, and so has waiting for a
connection; waiting for one's turn has none: a crowd of our own is not the store's failure.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from importlib.resources import files
from typing import Any, Final, Protocol, cast

from hiredis import pack_command
from redis.asyncio import Redis
from redis.credentials import CredentialProvider
from redis.exceptions import NoScriptError, OutOfMemoryError, RedisError, ResponseError

from app.adapters.background import background
from app.adapters.redis.breaker import Breaker, State
from app.adapters.redis.connection import (
    BATCH_TIMEOUT_S,
    OPERATION_TIMEOUT_S,
    cancellable,
    handed_over,
)
from app.adapters.redis.multiplexed import Answer, Multiplexed
from app.adapters.redis.patience import SLICES, Patience
from app.errors import StoreUnavailable

_LETS_THROUGH: Final = State.CLOSED
#: Of one write, unless it is of one command.
_MOST_BYTES: Final = 32 * 1024
#: How often a store that was lost is asked whether it is back, once the breaker lets it be asked.
_PROBE_S: Final = 0.1
#: How often it is looked whether there is a newer token; it comes minutes before the last one ends.
LOGIN_LOOK_S: Final = 5.0

#: Refusals that tell of the server's state rather than of the command.
_STATES: Final = frozenset({"BUSY", "MISCONF", "NOREPLICAS", "UNKILLABLE"})

Command = Sequence[bytes | str | int]

_pack: Final[Callable[[tuple[bytes | str | int, ...]], bytes]] = cast("Any", pack_command)


class Commands(Protocol):
    """What sends one command at a time to Redis: a batch."""

    async def call(self, command: Command) -> Any:
        """The answer. Raises StoreUnavailable."""
        ...


class NotSent(StoreUnavailable):
    """Nothing was sent: the command was certainly not carried out."""


class Refused(StoreUnavailable):
    """The store answered that something is wrong with this command; it will again."""


class Script:
    """A Lua script of this package, perhaps of several files, and the digest Redis knows it by."""

    def __init__(self, *names: str) -> None:
        directory = files("app.adapters.redis") / "lua"
        self.text: Final = "".join((directory / name).read_text("utf-8") for name in names)
        self.sha: Final = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class Batch:
    """Sends commands together; open within `batching`."""

    def __init__(
        self,
        client: Redis,
        breaker: Breaker,
        *,
        patience_s: float = OPERATION_TIMEOUT_S,
    ) -> None:
        """`client` makes connections; `breaker` is told how they do, and decides of them.

        A command has `patience_s` seconds from when it was sent, or has waited for a connection.
        """
        self._client = client
        self._breaker = breaker
        self._slice_s = patience_s / SLICES
        self._connecting_s = patience_s + BATCH_TIMEOUT_S
        #: By command, how redis-py reads what is answered: as a mapping, as a truth…
        self._reading: Mapping[Any, Callable[[Any], Any]] = dict(client.response_callbacks)
        self._asked: deque[tuple[bytes, Answer]] = deque()
        self._taken = 0  # out of what was asked, so far
        self._line: Multiplexed | None = None
        self._wanted = asyncio.Event()
        self._patience = Patience()  # with the making of a connection
        self._timer: asyncio.TimerHandle | None = None
        self._is_about_to_send = False
        self._closed = False

    async def call(self, command: Command, *, as_told: bool = False) -> Any:
        """The answer to one command; `as_told`: Redis' own, not as redis-py reads it.

        Raises StoreUnavailable: NotSent at once while it is lost. Otherwise the command may have
        been carried out although no answer came in time.
        """
        if self._closed or self._breaker.state is not _LETS_THROUGH:
            raise not_sent()
        try:
            reply = await self._ask(command)
        except NoScriptError:
            raise
        except RedisError as error:
            raise _refusal(error) from error
        read = None if as_told else self._reading.get(command[0])
        return reply if read is None else read(reply)

    async def call_all(self, commands: Sequence[Command]) -> list[Any]:
        """The answers to commands that go out together; of each that failed, StoreUnavailable.

        They are Redis' own, not as redis-py reads them. Whoever waits for all of them is woken up
        once: no command costs a task.
        """
        if self._closed or self._breaker.state is not _LETS_THROUGH:
            return [not_sent() for _ in commands]
        asked = self._ask_all(commands)
        told: list[Any] = []
        try:
            for answer in asked:
                try:
                    told.append(await answer)
                except StoreUnavailable as error:
                    told.append(error)
                except RedisError as error:
                    told.append(_refusal(error))
        finally:
            if len(told) < len(asked):  # it was cancelled: nobody waits for the others
                for answer in asked:
                    answer.cancel()
        return told

    async def script(self, script: Script, key: str, *args: bytes | str) -> Any:
        """Run a script on one key, loading it where the server does not know it (yet, or again)."""
        try:
            return await self.call(("EVALSHA", script.sha, 1, key, *args))
        except NoScriptError:
            return await self.call(("EVAL", script.text, 1, key, *args))

    async def keep_connecting(self) -> None:
        """Make a connection whenever somebody waits for one, for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            if self._line is None and self._asked:
                await self._connect()

    async def keep_probing(self) -> None:
        """Ask a lost store whether it is back, so that no request has to; for ever."""
        while True:
            await asyncio.sleep(_PROBE_S)
            if self._breaker.state is _LETS_THROUGH or not self._breaker.admits():
                continue
            try:
                with suppress(StoreUnavailable, RedisError):
                    await self._ask(("PING",))
            finally:
                self._breaker.abandoned()  # unless somebody was told better

    async def keep_signed_in(self, login: CredentialProvider) -> None:
        """Show a connection that lasts each new token; for ever. A new one is shown it anyhow."""
        shown: tuple[str, ...] | None = None
        while True:
            await asyncio.sleep(LOGIN_LOOK_S)
            with suppress(StoreUnavailable, RedisError):
                held = await login.get_credentials_async()
                if held != shown and self._line is not None:
                    await self.call(("AUTH", *held))
                shown = held

    def replied(self, trouble: RedisError | None) -> None:
        """The connection's own word: replies came, of which one may tell of the server's state."""
        if trouble is None:
            self._breaker.succeeded()
        elif isinstance(trouble, OutOfMemoryError):
            self._failed()
        else:
            self._lose(trouble, failed=True)
        if self._asked and not self._is_about_to_send:
            self._send()

    def has_room(self) -> None:
        """The connection's own word: more can be sent."""
        self._send()

    def ended(self, error: Exception | None) -> None:
        """The connection's own word; one that nobody waited for is no failure."""
        self._lose(error, failed=False)

    async def close(self) -> None:
        """Have nobody wait for what will not be sent or answered any more."""
        self._closed = True
        self._refuse(len(self._asked))
        if self._timer is not None:
            self._timer.cancel()
        line, self._line = self._line, None
        if line is not None:
            line.cut(StoreUnavailable("The gateway is closing."))
            await line.gone()

    def _ask(self, command: Command) -> Answer:
        """Have it sent at the end of this turn of the loop. Raises TypeError, ValueError."""
        packed: bytes = _pack(tuple(command))
        loop = asyncio.get_running_loop()
        answer: Answer = loop.create_future()
        self._asked.append((packed, answer))
        if not self._is_about_to_send:
            self._send_soon(loop)
        return answer

    def _ask_all(self, commands: Sequence[Command]) -> list[Answer]:
        """The same of several, none of them where one cannot be packed."""
        packed = [_pack(tuple(command)) for command in commands]
        loop = asyncio.get_running_loop()
        answers: list[Answer] = [loop.create_future() for _ in packed]
        self._asked.extend(zip(packed, answers, strict=True))
        if not self._is_about_to_send:
            self._send_soon(loop)
        return answers

    def _send_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_about_to_send = True
        loop.call_soon(self._send)

    def _send(self) -> None:
        """Send what is asked, as far as there is room for it."""
        self._is_about_to_send = False
        line = self._line
        if line is None:
            self._wanted.set()
        else:
            while self._asked and (room := line.room) > 0:
                self._send_some(line, room)
        self._watch()

    def _send_some(self, line: Multiplexed, room: int) -> None:
        """Send in one write what somebody still waits for."""
        asked = self._asked
        commands: list[bytes] = []
        answers: list[Answer] = []
        size = 0
        before = len(asked)
        for _ in range(min(room, before)):
            command, answer = asked.popleft()
            if not answer.done():
                commands.append(command)
                answers.append(answer)
                size += len(command)
                if size >= _MOST_BYTES:
                    break
        self._taken += before - len(asked)
        if answers:
            line.send(commands, answers)

    def _watch(self) -> None:
        """Look at the end of a slice who waits too long, as long as anybody waits."""
        line = self._line
        if self._timer is None and (self._asked or (line is not None and line.unanswered)):
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._slice_s, self._end_slice)

    def _end_slice(self) -> None:
        self._timer = None
        line = self._line
        if line is None:
            begun = self._taken + len(self._asked)
            late = self._patience.overdue(begun, self._taken)
            if late:
                self._refuse(late)
                self._failed()
        elif line.is_overdue():
            self._lose(TimeoutError(), failed=True)
        self._watch()

    async def _connect(self) -> None:
        """Have a connection; if there is none to be had, nobody waits for it."""
        line = Multiplexed(self)
        try:
            async with asyncio.timeout(self._connecting_s):
                await cancellable(handed_over(self._client, line))
        except BaseException as error:
            line.cut(None)
            if isinstance(error, Exception) and self._asked:
                self._refuse(len(self._asked), error)
                self._failed()
            if not isinstance(error, RedisError | OSError):
                raise  # a defect, or the end
        else:
            self._line = line
            self._send()

    def _lose(self, error: Exception | None, *, failed: bool) -> None:
        """Part with the connection; who waits to be sent has patience with the next."""
        line, self._line = self._line, None
        if line is None:
            return
        self._patience = Patience()
        failed = failed or line.unanswered > 0
        line.cut(error)
        if failed:
            self._failed()
        if self._asked:
            self._wanted.set()

    def _failed(self) -> None:
        self._breaker.failed()
        if self._breaker.state is not _LETS_THROUGH:
            self._refuse(len(self._asked))

    def _refuse(self, count: int, error: Exception | None = None) -> None:
        """Tell the first of those who wait that nothing was sent."""
        for _ in range(count):
            _, answer = self._asked.popleft()
            self._taken += 1
            if not answer.done():
                answer.set_exception(not_sent(error))


def not_sent(cause: Exception | None = None) -> NotSent:
    """What to tell of a command that stayed here; `cause` is why, where that is known."""
    told = NotSent("The gateway's store does not answer.")
    told.__cause__ = cause
    return told


def _refusal(answer: RedisError) -> StoreUnavailable:
    """What the caller is told; errors that redis-py has a class for are the server's state."""
    about_it = type(answer) is ResponseError and str(answer).partition(" ")[0] not in _STATES
    return (Refused if about_it else StoreUnavailable)("The gateway's store refused a command.")


@asynccontextmanager
async def batching(
    client: Redis,
    breaker: Breaker,
    *,
    patience_s: float = OPERATION_TIMEOUT_S,
    login: CredentialProvider | None = None,
) -> AsyncIterator[Batch]:
    """A batch that is connected when it is needed, as long as the scope is open.

    `login` is what `client` shows, where that changes.
    """
    batch = Batch(client, breaker, patience_s=patience_s)
    works = [batch.keep_connecting, batch.keep_probing]
    if login is not None:
        works.append(partial(batch.keep_signed_in, login))
    try:
        async with background("batch", *works):
            yield batch
    finally:
        await batch.close()
