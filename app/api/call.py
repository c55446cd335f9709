"""One HTTP request on the data plane, read within limits and watched until its answer is out."""

from __future__ import annotations

import asyncio

import msgspec

from app.api.line import Line
from app.domain.call.request import Route
from app.errors import (
    BodyTimeout,
    BodyTooLarge,
    ClientGone,
    MalformedRequest,
    ShuttingDown,
    UnsupportedEncoding,
)
from app.wire.routes import match

#: So much of a body is taken before somebody wants it. Bytes.
UNASKED_BYTES = 64 * 1024
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class DataPlaneLimits(msgspec.Struct, frozen=True):
    """What one client may take; sizes in bytes, times in seconds."""

    max_body: int
    body_s: float
    write_stall_s: float
    max_in_flight: int


class Head(msgspec.Struct, gc=False):
    """A request's first lines; header names are in lower case."""

    method: str
    path: str  # still percent-encoded
    query: str
    headers: dict[str, str]
    keep_alive: bool = True  # whether the connection may have another request after it
    chunks: bool = True  # whether the client reads chunks: HTTP/1.0 knows none (RFC 9112, 6.1)


class HttpCall(msgspec.Struct, eq=False):
    """The gateway's view of a request; its connection feeds it.

    `limits` are those of the moment in which it came; `headers` are those of its head.
    """

    head: Head
    headers: dict[str, str]
    line: Line
    limits: DataPlaneLimits
    request_id: str
    interruption: ClientGone | ShuttingDown | None = None
    task: asyncio.Task[None] | None = None
    is_begun: bool = False  # its answer has
    is_answered: bool = False
    _parts: list[bytes] = []
    _size: int = 0
    _whole: bool = False
    _wanted: bool = False
    _watched: bool = False
    _gone: bool = False
    _waiter: asyncio.Future[None] | None = None

    @property
    def client(self) -> str | None:
        """The address of who asks, behind proxies that are trusted."""
        return self.line.client(self.headers)

    @property
    def route(self) -> Route:
        """What its method and path name; matched on the raw path, before any decoding."""
        head = self.head
        return match(head.method, head.path, head.query)

    async def body(self) -> bytes:
        """The whole body; from then on the connection is watched."""
        if "content-encoding" in self.headers:
            self._refuse_encoded(self.headers["content-encoding"])
        if not self._whole or self._size > self.limits.max_body:
            self._refuse_long()  # the parser has held a body that is whole to its length
            if not self._whole:
                await self._rest()
            if not self._gone and self._size > self.limits.max_body:
                raise self._too_large()
        if self._gone:
            raise ClientGone
        self._watched = True
        if self._size > UNASKED_BYTES:
            self.line.resume_reading()
        body = b"".join(self._parts)  # of one part: that part itself
        self._parts.clear()
        return body

    def feed(self, data: bytes) -> None:
        """Take a part of the body, as far as somebody may still want it."""
        if self.is_answered:
            return
        self._size += len(data)
        if self._size > self.limits.max_body:
            self._parts.clear()
            self._wake()
            return
        self._parts.append(data)
        if self._size > UNASKED_BYTES and not self._wanted:
            self.line.pause_reading()

    def ends(self) -> None:
        """The body is whole."""
        self._whole = True
        if self._waiter is not None:
            self._wake()

    def client_left(self) -> None:
        """Before its body was read whoever reads it is told; afterwards it is interrupted."""
        if self._watched:
            self.interrupt(ClientGone())
        else:
            self._gone = True
            self._wake()

    def interrupt(self, reason: ClientGone | ShuttingDown) -> None:
        """Cancel the handler, for a reason that it can name; an answer that is out stays out."""
        if self.interruption is None and self.task is not None and not self.is_answered:
            self.interruption = reason
            self.task.cancel()

    async def _rest(self) -> None:
        """Wait for the body's end, or for what makes it pointless."""
        self._wanted = True
        if "expect" in self.headers and self.head.chunks and not self._size:
            self.line.write(_CONTINUE)  # HTTP/1.0 does not know it (RFC 9110, 10.1.1)
        self.line.resume_reading()
        if self._gone or self._size > self.limits.max_body:
            return
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self.limits.body_s):
                await self._waiter
        except TimeoutError:
            message = f"The request body did not arrive within {self.limits.body_s:g} s."
            raise BodyTimeout(message) from None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _refuse_encoded(self, encoding: str) -> None:
        if encoding.lower() not in {"", "identity"}:
            message = f"Compressed request bodies are not read: Content-Encoding '{encoding[:64]}'."
            raise UnsupportedEncoding(message, param="content-encoding")

    def _refuse_long(self) -> None:
        """By what its headers say."""
        length = self.headers.get("content-length", "0")
        if not length.rstrip(" \t").isdecimal():
            message = "The Content-Length header is not a number."
            raise MalformedRequest(message, param="content-length")
        if int(length) > self.limits.max_body:
            raise self._too_large()

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"The request body is larger than {self.limits.max_body} bytes.")
