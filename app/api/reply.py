"""The answer to one HTTP request on the data plane, sent at the client's pace."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

import msgspec

from app.api.answer_head import answer_head
from app.api.call import HttpCall
from app.api.rendering import rendered
from app.domain.call.request import Operation
from app.errors import ClientGone, SpillgateError
from app.wire.events import error_frame

#: A connection buffers a single write whole, so larger ones are cut.
_PIECE_BYTES = 64 * 1024
_RESPONSES = frozenset({Operation.RESPONSES, Operation.RETRIEVE_RESPONSE})
_BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class HttpReply(msgspec.Struct, eq=False):
    """The gateway's view of an answer.

    The head waits for the first part of the body, so that both go out in one write. A client that
    lets a write wait for the limit that the call has is gone.
    """

    _call: HttpCall
    _head: bytes = b""
    _content_type: str = ""
    _chunked: bool = False
    _has_body: bool = True
    _missing: int | None = None  # bytes of a body of known length, still to be sent
    _finished: bool = False
    status: int | None = None

    def put_first(self, status: int, headers: Mapping[str, str], data: bytes) -> bool:
        """Send status, headers and a first part where that takes no waiting; whether it did."""
        if self._call.line.would_block or len(data) > _PIECE_BYTES:
            return False
        self._begin(status, headers)
        self._write(data)
        return True

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Send status and headers, the request's id among them."""
        self._begin(status, headers)
        if "content-length" not in headers:  # who knows when the first part comes
            asyncio.get_running_loop().call_soon(self._send_head)

    async def send(self, data: bytes) -> None:
        """Send a part of the body."""
        if len(data) <= _PIECE_BYTES:
            if self._call.line.would_block:
                await self._room()
            self._write(data)
            return
        for start in range(0, len(data), _PIECE_BYTES):
            await self.send(data[start : start + _PIECE_BYTES])

    def put(self, data: bytes) -> bool:
        """Send a part of the body where that takes no waiting; whether it was sent."""
        line, size = self._call.line, len(data)
        if line.would_block or size > _PIECE_BYTES:
            return False
        if self._chunked and data and not self._head:
            line.write(b"%x\r\n%b\r\n" % (size, data))
        else:
            self._write(data)
        return True

    async def finish(self) -> None:
        """End the body. Whatever the connection does afterwards is not this request's."""
        call = self._call
        call.is_answered = self._finished = True
        if call.line.would_block:
            await self._room()
        if self._chunked or self._head:
            call.line.write(self._taken_head() + (b"0\r\n\r\n" if self._chunked else b""))
        if self._missing:  # the next answer would be read as the rest of this one
            call.line.abort()
        call.line.answered(keep_alive=call.head.keep_alive)

    async def break_off(self, error: SpillgateError) -> None:
        """An error event where the client reads events, a broken connection elsewhere."""
        if self._finished:
            return
        if not self._content_type.startswith("text/event-stream"):
            self._call.is_answered = True
            self._call.line.abort()
            return
        responses = self._call.route.operation in _RESPONSES
        await self.send(error_frame(error, responses=responses))
        await self.finish()

    async def refuse(self, error: SpillgateError) -> None:
        """Tell the client, in whatever form is still possible."""
        if self.status is not None:
            await self.break_off(error)
            return
        headers, body = rendered(error)
        await self.start(error.status, headers)
        await self.send(body)
        await self.finish()

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        call = self._call
        head, length = call.head, headers.get("content-length")
        more = f"x-request-id: {call.request_id}\r\n{call.line.common.text()}"
        if head.method == "HEAD" or status in _BODILESS:
            self._has_body = False
        elif length is not None:
            self._missing = int(length)
        elif head.chunks:
            self._chunked = True
            more += "transfer-encoding: chunked\r\n"
        if headers.get("connection") == "close":
            head.keep_alive = False
        elif not head.keep_alive:
            more += "connection: close\r\n"
        self._content_type = headers.get("content-type", "")
        self._head = answer_head(status, headers, more)
        self.status = status
        call.is_begun = True

    def _write(self, data: bytes) -> None:
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        elif not self._has_body:
            data = b""
        elif self._missing is not None:
            self._missing -= len(data)
        if self._head:
            data, self._head = self._head + data, b""
        self._call.line.write(data)

    def _taken_head(self) -> bytes:
        head, self._head = self._head, b""
        return head

    def _send_head(self) -> None:
        if self._head:
            self._call.line.write(self._taken_head())

    async def _room(self) -> None:
        try:
            async with asyncio.timeout(self._call.limits.write_stall_s):
                await self._call.line.room()
        except TimeoutError:
            self._call.line.abort()
            raise ClientGone from None
