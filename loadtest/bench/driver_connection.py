"""A connection of the driver's: one request at a time, told of its answer's parts."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol, cast

import httptools

_OK: Final = 200


class Listener(Protocol):
    """Whom a connection tells of what it gets."""

    def part(self, connection: Connection, body: bytes) -> None:
        """Some of the answer's body came."""

    def ended(self, connection: Connection, *, ok: bool) -> None:
        """The answer is whole, or there will be none."""


class Connection(asyncio.Protocol):
    """One of HTTP/1.1 that is kept; lost, it is opened anew when it is next asked."""

    def __init__(self, listener: Listener, port: int) -> None:
        self._listener = listener
        self._port = port
        self._transport: asyncio.Transport | None = None
        self._asked = False

    async def open(self) -> None:
        """Connect. Raises OSError."""
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, "127.0.0.1", self._port)

    @property
    def is_open(self) -> bool:
        """Whether it can be asked."""
        return self._transport is not None and not self._transport.is_closing()

    def ask(self, request: bytes) -> None:
        """Send a request; the listener hears of its end, whatever happens."""
        if self._transport is None:
            raise ConnectionError("it is not open")
        self._parser = httptools.HttpResponseParser(self)
        self._asked = True
        self._transport.write(request)

    def close(self) -> None:
        """It is not needed any more."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if not self._asked:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._end(ok=False)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        self._end(ok=False)

    def on_body(self, body: bytes) -> None:
        self._listener.part(self, body)

    def on_message_complete(self) -> None:
        self._end(ok=self._parser.get_status_code() == _OK)

    def _end(self, *, ok: bool) -> None:
        if self._asked:
            self._asked = False
            self._listener.ended(self, ok=ok)
