"""One channel's messages, handed on where they are read: nobody is woken up for one.

Workers tell each other hundreds of times a second what they take. redis-py takes nearly twice the
time for a message, what is done with it included (`python -m tests.benchmarks.scaling`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

from hiredis import PushNotification, Reader, pack_command
from redis.asyncio.connection import DefaultParser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, RedisError

#: After so many seconds of silence it is asked whether it is still there.
PING_S: Final = 1.0
#: After so many times without an answer it is dead, though its line is open.
DEAF_AFTER: Final = 3
_MORE: Final = object()
_pack: Final[Callable[[tuple[str, ...]], bytes]] = cast("Any", pack_command)


class Subscription(asyncio.Protocol):
    """A connection for one channel, greeted by somebody else; it speaks RESP3.

    `begun` has to be awaited, then `kept`, and `close` called in the end.
    """

    def __init__(self, channel: str, heard: Callable[[bytes], None]) -> None:
        """`heard` is given each message, within the event loop; what it raises ends `kept`."""
        self._channel = channel
        self._heard = heard
        self._reader = Reader(
            protocolError=InvalidResponse,
            replyError=DefaultParser.parse_error,
            notEnoughData=_MORE,
        )
        self._transport: asyncio.Transport | None = None
        self._is_silent = True
        loop = asyncio.get_running_loop()
        self._begun: asyncio.Future[None] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()
        self._gone: asyncio.Future[None] | None = None
        self.writer: object = None  # whatever would close the connection if it went

    async def begun(self, within_s: float) -> None:
        """Return once the channel is heard. Raises TimeoutError, and whatever ended it before."""
        await asyncio.wait(
            (self._begun, self._ended), timeout=within_s, return_when=asyncio.FIRST_COMPLETED
        )
        if self._ended.done():
            self._ended.result()
        if not self._begun.done():
            raise TimeoutError

    async def kept(self) -> None:
        """Ask in each silence whether it is still there, until it is not; raises why."""
        silent = 0
        while silent < DEAF_AFTER:
            self._is_silent = True
            await asyncio.wait((self._ended,), timeout=PING_S)
            if self._ended.done():
                self._ended.result()
            silent = silent + 1 if self._is_silent else 0
            if silent:
                self._say("PING")
        raise TimeoutError

    async def close(self) -> None:
        """End it at once; nothing of it is left on return."""
        if self._transport is not None and self._gone is not None:
            self._transport.abort()
            await self._gone
        for each in (self._begun, self._ended):
            each.cancel()

    def end(self, error: Exception) -> None:
        """Have `begun` and `kept` raise this, as if the line had told it."""
        if not self._ended.done():
            self._ended.set_exception(error)
            self._ended.exception()  # told to whoever asks; nobody has to

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As of any protocol; also called by whoever hands a connection over."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are of no class of these
        self._gone = asyncio.get_running_loop().create_future()
        self._say("SUBSCRIBE", self._channel)

    def connection_lost(self, exc: Exception | None) -> None:
        """As of any protocol."""
        self.end(exc or RedisConnectionError("The server closed the connection."))
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Hand on every message that is whole by now."""
        self._is_silent = False
        self._reader.feed(data)
        try:
            while (said := self._reader.gets()) is not _MORE:
                self._take(said)
        except Exception as error:  # noqa: BLE001  # whatever it is, whoever waits for the end is told
            self.end(error)

    def _take(self, said: Any) -> None:
        if isinstance(said, RedisError):
            raise said
        if said.__class__ is not PushNotification:
            return  # the answer to a ping
        if said[0] == b"message":
            if not self._ended.done():
                self._heard(said[2])
        elif said[0] == b"subscribe" and not self._begun.done():
            self._begun.set_result(None)

    def _say(self, *words: str) -> None:
        if self._transport is not None:
            self._transport.write(_pack(words))
