"""One connection to Redis that many callers share, each with a command of its own on its way.

Nothing tells replies apart but their order. So a connection of which a reply is late, or lost, or
was never asked for, is of no use any more: the next reply would be somebody else's. It is cut, and
whoever waits is told that nothing is known of his command.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, cast

from hiredis import PushNotification, Reader
from redis.asyncio.connection import DefaultParser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, OutOfMemoryError, ReadOnlyError, RedisError

from app.adapters.redis.patience import Patience
from app.errors import StoreUnavailable

#: Commands on their way at once. Some 0.1 ms each, they stay well within an operation's time.
MOST_UNANSWERED: Final = 128
#: The same in bytes, for commands that are long have Redis do much: beyond so many none is added.
#: Some 5 ms of reservations or settlements, so that a server that is slow for us is in time, too.
MOST_UNANSWERED_BYTES: Final = 64 * 1024
#: Refusals that say of the server that it cannot be used: it loads, it is full, it is a replica…
_TROUBLE: Final = (RedisConnectionError, OutOfMemoryError, ReadOnlyError)
_MORE: Final = object()

Answer = asyncio.Future[Any]


class Owner(Protocol):
    """Whoever has a connection: told from within the event loop, never from within a call."""

    def replied(self, trouble: RedisError | None) -> None:
        """Replies came; `trouble` is one that says that the server cannot be used as it is."""
        ...

    def has_room(self) -> None:
        """The server reads again."""
        ...

    def ended(self, error: Exception | None) -> None:
        """The other side cut the connection, or said what it was not asked."""
        ...


class Multiplexed(asyncio.Protocol):
    """A connection that was greeted by somebody else; commands go out as `send` is called.

    It neither packs commands nor waits: `send` takes bytes and futures.
    """

    __slots__ = (
        "_gone",
        "_owner",
        "_patience",
        "_reader",
        "_size",
        "_transport",
        "_waiting",
        "_writable",
        "_write",
        "_writes",
        "sent",
        "writer",
    )

    def __init__(self, owner: Owner) -> None:
        self._owner: Owner | None = owner
        self._reader = Reader(
            protocolError=InvalidResponse,
            replyError=DefaultParser.parse_error,
            notEnoughData=_MORE,
        )
        self._waiting: deque[Answer] = deque()
        self._patience = Patience()
        self._transport: asyncio.Transport | None = None
        self._write: Callable[[bytes], None] = _nowhere
        self._gone: asyncio.Future[None] | None = None
        self._writable = True
        self._writes: deque[tuple[int, int]] = deque()  # commands sent by then, and its bytes
        self._size = 0  # of writes that are not answered yet
        self.sent = 0
        self.writer: object = None  # whatever would close the connection if it went

    @property
    def unanswered(self) -> int:
        """Commands on their way."""
        return len(self._waiting)

    @property
    def room(self) -> int:
        """Commands that may be sent now."""
        if self._writable and self._size < MOST_UNANSWERED_BYTES:
            return MOST_UNANSWERED - len(self._waiting)
        return 0

    def send(self, commands: Sequence[bytes], answers: Sequence[Answer]) -> None:
        """Send commands in one write; each reply goes to the future of the same place."""
        data = commands[0] if len(commands) == 1 else b"".join(commands)
        self._waiting.extend(answers)
        self.sent += len(answers)
        self._size += len(data)
        self._writes.append((self.sent, len(data)))
        self._write(data)

    def is_overdue(self) -> bool:
        """Whether a reply is late; to be asked at the end of each slice of patience."""
        return self._patience.overdue(self.sent, self.sent - len(self._waiting)) > 0

    def cut(self, error: Exception | None) -> None:
        """End it at once; whoever waits does not learn what became of his command."""
        self._owner = None
        if self._transport is not None:
            self._transport.abort()
        while self._waiting:
            answer = self._waiting.popleft()
            if not answer.done():
                unknown = StoreUnavailable("The gateway's store does not answer.")
                unknown.__cause__ = error
                answer.set_exception(unknown)

    async def gone(self) -> None:
        """Return once nothing of it is left, after `cut`."""
        if self._gone is not None:
            await self._gone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As of any protocol; also called by whoever hands a connection over."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are of no class of these
        self._write = self._transport.write
        self._gone = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc: Exception | None) -> None:
        """As of any protocol."""
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
        self._end(exc)

    def pause_writing(self) -> None:
        """As of any protocol."""
        self._writable = False

    def resume_writing(self) -> None:
        """As of any protocol."""
        self._writable = True
        if self._owner is not None:
            self._owner.has_room()

    def data_received(self, data: bytes) -> None:
        """Hand over every reply that is whole by now."""
        owner = self._owner
        if owner is None:
            return
        try:
            trouble = self._handed_over(data)
        except Exception as error:  # noqa: BLE001  # whatever it is: replies are out of step now
            self._end(error)
        else:
            owner.replied(trouble)

    def _handed_over(self, data: bytes) -> RedisError | None:
        """The last trouble among the replies. Raises what it makes of bytes that are none."""
        trouble: RedisError | None = None
        waiting, gets = self._waiting, self._reader.gets
        self._reader.feed(data)
        while (reply := gets()) is not _MORE:
            if reply.__class__ is PushNotification:
                continue
            if not waiting:
                raise InvalidResponse("a reply that nobody asked for")
            answer = waiting.popleft()
            if isinstance(reply, RedisError):
                if isinstance(reply, _TROUBLE):
                    trouble = reply
                if not answer.done():
                    answer.set_exception(reply)
            elif not answer.done():
                answer.set_result(reply)
        self._note_answered(self.sent - len(waiting))
        return trouble

    def _note_answered(self, count: int) -> None:
        writes = self._writes
        while writes and writes[0][0] <= count:
            self._size -= writes.popleft()[1]

    def _end(self, error: Exception | None) -> None:
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.ended(error)


def _nowhere(_data: bytes) -> None:
    raise RuntimeError("nothing is connected")
