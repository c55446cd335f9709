"""One connection to an upstream: a request out, its answer in, and again.

What comes is parsed where it was read, without a task: whoever waits is woken once per read,
however many frames it brought. Nothing is read while more than a little waits to be taken, so that
a reader who stalls holds back the upstream and fills no memory.
"""

from __future__ import annotations

import asyncio
import ssl
from asyncio import AbstractEventLoop, Transport
from math import inf
from typing import Final, Protocol, cast

from app.adapters.upstream.alarm import Alarm
from app.adapters.upstream.answer_parser import AnswerParser, FieldNames
from app.adapters.upstream.request_head import JOINED_BYTES
from app.adapters.upstream.response import Response
from app.adapters.upstream.target import Origin
from app.adapters.upstream.upload import Upload
from app.domain.routing.attempt import FIRST_REFUSAL
from app.errors import UpstreamDisconnected, UpstreamError, UpstreamProtocolError

#: The most that one read gives.
READ_BYTES: Final = 32 * 1024
#: Nothing more is read while so much waits to be taken.
HIGH_WATER_BYTES: Final = 32 * 1024


class Common:
    """What the connections of one event loop share.

    One buffer is enough for all: what was read is parsed before anything else is read.
    """

    __slots__ = ("buffer", "loop", "names")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        self.buffer = memoryview(bytearray(READ_BYTES))
        self.names = FieldNames()


class Home(Protocol):
    """Where connections come back to."""

    def returned(self, connection: Connection) -> None:
        """It can be asked again."""
        ...

    def lost(self, connection: Connection) -> None:
        """It is no more; told once."""
        ...


class Connection(asyncio.BufferedProtocol):
    """Speaks HTTP/1.1 as a client; one request at a time."""

    __slots__ = (
        "_answer",
        "_buffer",
        "_home",
        "_is_paused",
        "_loop",
        "_parser",
        "_transport",
        "_unread",
        "_upload",
        "alarm",
        "expires",
        "idle_since",
        "is_closed",
        "origin",
    )

    def __init__(self, origin: Origin, home: Home, common: Common) -> None:
        """`alarm` is for the answer; `idle_since` and `expires` are its home's notes."""
        self.origin: Final = origin
        self.is_closed = False
        self.idle_since = self.expires = inf
        self._home = home
        self._loop = common.loop
        self._buffer = common.buffer
        self._parser = AnswerParser(common.names)
        self.alarm = Alarm(common.loop, self._late)
        self._answer: Response | None = None
        self._upload: Upload | None = None
        self._unread = 0
        self._is_paused = False
        self._transport: Transport

    def send(self, head: bytes, body: bytes, answer: Response) -> None:
        """Send a request; `answer` is told of everything that comes of it."""
        if self.is_closed or self._transport.is_closing():
            answer.fail(UpstreamDisconnected, "The upstream closed the connection.")
            return
        self._parser.start()
        self._answer = answer
        answer.opened(self, self._parser.parts)
        if len(body) <= JOINED_BYTES:
            self._transport.write(head + body)
            return
        self._transport.write(head)
        self._upload = Upload(self._transport, body)
        self._upload.go_on()

    def taken(self) -> None:
        """The reader has taken all that was there."""
        self._unread = 0
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()

    def close(self) -> None:
        """End it at once; whoever waits for an answer is told that it broke off."""
        self._lose(UpstreamDisconnected, "The connection to the upstream is closed.")

    # What follows is called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("Transport", transport)
        limits = getattr(transport, "set_read_buffer_limits", None)
        if limits is not None:  # over TLS, what is not decrypted yet waits here as well
            limits(high=HIGH_WATER_BYTES)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  # asyncio's signature
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        answer, parser = self._answer, self._parser
        if answer is None:  # bytes that nobody asked for: of whose answer they are, nobody knows
            self.close()
            return
        answer.is_unheard = False
        try:
            parser.feed(self._buffer[:nbytes])
        except UpstreamProtocolError as error:
            if parser.is_begun and not answer.is_begun:
                self._begin(answer)
            self._lose(UpstreamProtocolError, error.message)
            return
        if parser.is_ended:
            self._end(answer)
        elif parser.is_begun:
            if not answer.is_begun:
                self._begin(answer)
            if not answer.hand_on():
                self._hold_back(nbytes)
                answer.wake()

    def eof_received(self) -> None:
        """The upstream says no more; what we have still to say is of no use to it."""
        answer, parser = self._answer, self._parser
        if answer is None or not parser.ends_with_close:
            self._lose(UpstreamDisconnected, "The upstream closed the connection.")
        elif _is_cut(self._transport):
            self._lose(UpstreamDisconnected, "The connection to the upstream broke.")
        else:
            parser.is_spent = True
            self._end(answer)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        self._lose(UpstreamDisconnected, "The connection to the upstream broke.")

    def pause_writing(self) -> None:
        if self._upload is not None:
            self._upload.is_paused = True

    def resume_writing(self) -> None:
        if self._upload is not None:
            self._upload.is_paused = False
            self._upload.go_on()

    def _begin(self, answer: Response) -> None:
        """The answer's head is here."""
        parser, upload = self._parser, self._upload
        answer.begin(parser.status, parser.headers)
        if upload is not None and not upload.is_over and parser.status >= FIRST_REFUSAL:
            # It refuses what it has not read: the rest is not sent, and no other request here.
            self._upload = None
            parser.is_spent = True

    def _end(self, answer: Response) -> None:
        """All of the answer is here, if not yet taken: the connection is free before the reader."""
        parser, self._answer = self._parser, None
        if self._upload is not None:  # what is left of it will not be sent
            parser.is_spent |= not self._upload.is_over
            self._upload = None
        if not answer.is_begun:
            answer.begin(parser.status, parser.headers)
        answer.end(parser.parts[:])
        parser.parts.clear()
        if self._unread:
            self.taken()
        if parser.is_spent:
            self.close()
        else:
            self._home.returned(self)

    def _hold_back(self, nbytes: int) -> None:
        self._unread += nbytes
        if self._unread >= HIGH_WATER_BYTES and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def _late(self) -> None:
        if self._answer is not None:
            self._answer.ring()

    def _lose(self, kind: type[UpstreamError], message: str) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        answer, self._answer, self._upload = self._answer, None, None
        self.alarm.end()
        self._parser.end()
        self._transport.abort()
        self._home.lost(self)
        if answer is not None:
            answer.fail(kind, message)


def _is_cut(transport: Transport) -> bool:
    """Whether an end was not announced: over TLS it must be, for anybody on the way can make one.

    asyncio tells of both in the same way; what is left to read of TLS tells them apart.
    """
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    if tls is None:
        return False
    try:
        return bool(tls.read(1))
    except ssl.SSLZeroReturnError:
        return False
    except ssl.SSLError:
        return True
