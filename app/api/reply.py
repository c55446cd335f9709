"""The answer to one HTTP request on the data plane, sent at the client's pace."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from app.api.call import HttpCall
from app.api.protocol import Connection
from app.api.rendering import rendered
from app.domain.call.request import Operation
from app.errors import ClientGone, SpillgateError
from app.wire.events import error_frame

Send = Any
#: uvicorn buffers a single write whole, so larger ones are cut.
_PIECE_BYTES = 64 * 1024
_RESPONSES = frozenset({Operation.RESPONSES, Operation.RETRIEVE_RESPONSE})
_FIXED = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]


class HttpReply:
    """The gateway's view of an ASGI response."""

    def __init__(
        self, call: HttpCall, send: Send, connection: Connection | None, *, write_stall_s: float
    ) -> None:
        """A client that lets a write wait for `write_stall_s` seconds is gone."""
        self._call = call
        self._send = send
        self._connection = connection
        self._write_stall_s = write_stall_s
        self._is_stream = False
        self._finished = False
        self.status: int | None = None

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Send status and headers, the request's id among them."""
        self._is_stream = headers.get("content-type", "").startswith("text/event-stream")
        lines = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        lines.append((b"x-request-id", self._call.request_id.encode()))
        message = {"type": "http.response.start", "status": status, "headers": lines + _FIXED}
        self.status = status
        await self._write(message)

    async def send(self, data: bytes) -> None:
        """Send a part of the body."""
        for start in range(0, len(data), _PIECE_BYTES):
            piece = data[start : start + _PIECE_BYTES]
            await self._write({"type": "http.response.body", "body": piece, "more_body": True})

    async def finish(self) -> None:
        """End the body. Whatever the connection does afterwards is not this request's."""
        self._finished = True
        self._call.answered()
        await self._write({"type": "http.response.body", "body": b"", "more_body": False})

    async def break_off(self, error: SpillgateError) -> None:
        """An error event where the client reads events, a broken connection elsewhere."""
        if self._finished:
            return
        if not self._is_stream:
            self._call.answered()
            self._abort()
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

    async def _write(self, message: dict[str, Any]) -> None:
        if self._connection is None or not self._connection.would_block:
            await self._send(message)
            return
        try:
            async with asyncio.timeout(self._write_stall_s):
                await self._send(message)
        except TimeoutError:
            self._abort()
            raise ClientGone from None

    def _abort(self) -> None:
        if self._connection is not None:
            self._connection.abort()
