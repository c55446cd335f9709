"""uvicorn's HTTP/1.1 protocol, mended where an admin plane needs more than it gives.

Seen in uvicorn 0.54: a client that pipelined a second request and left is never reported to the
request that is running; invalid HTTP is answered in plain text; headers may take for ever; several
Host headers pass; HTTP/1.0 is answered in chunks. The data plane has a protocol of its own, in
`connection.py`.
"""

from __future__ import annotations

import asyncio

import httptools
from uvicorn._types import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGISendCallable,
    ASGISendEvent,
    Scope,
)
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.api.refusal import refusal

#: What may come before the end of a request's headers, and one read more.
MAX_HEADER_BYTES = 64 * 1024
_INVALID = "Invalid HTTP request received."


class _InvalidHead(Exception):
    """The headers make no request; the message says why, and holds nothing of them."""


class GatewayProtocol(HttpToolsProtocol):
    """One client connection."""

    #: Seconds from a request's first byte, or from the connection, to the end of its headers.
    header_limit_s: float = 10.0

    _running: RequestResponseCycle | None = None
    _header_bytes = 0
    _header_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        """Bounded while headers are incomplete: the parser would collect them for ever."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as error:
            # What we raised ourselves, the parser keeps as the reason for its own.
            why = (
                str(error.__context__) if isinstance(error.__context__, _InvalidHead) else _INVALID
            )
            self.send_400_response(why)
        except httptools.HttpParserUpgrade:
            pass  # refused with its headers
        self._header_bytes = self._header_bytes + len(data) if self._header_deadline else 0
        if self._header_bytes > MAX_HEADER_BYTES and not self.transport.is_closing():
            self._refuse(
                "431 Request Header Fields Too Large",
                f"The headers are larger than {MAX_HEADER_BYTES} bytes.",
                "headers_too_large",
            )

    def on_message_begin(self) -> None:
        self._expect_headers()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Trailers are no headers: whoever filtered those did not see them (RFC 9110, 6.5.1)."""
        if self._header_deadline is not None:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._headers_came()
        if self.parser.should_upgrade():
            # The parser stops here: the body would be read as the next request.
            message = "Upgrading the connection to another protocol is not supported."
            self._refuse("400 Bad Request", message, "upgrade_not_supported")
            return
        self._refuse_hosts()
        super().on_headers_complete()

    def _refuse_hosts(self) -> None:
        """RFC 9112, 3.2: whoever stands before us may have gone by another one of them."""
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1:
            raise _InvalidHead("The request has more than one Host header.")
        if not hosts and self.parser.get_http_version() == "1.1":
            raise _InvalidHead("The request has no Host header.")

    def _expect_headers(self) -> None:
        self._headers_came()
        self._header_deadline = self.loop.call_later(self.header_limit_s, self._give_up)

    def _headers_came(self) -> None:
        if self._header_deadline is not None:
            self._header_deadline.cancel()
            self._header_deadline = None

    def _give_up(self) -> None:
        """Drop a client that drips its headers; an idle one is the keep-alive's business."""
        if not self.transport.is_closing():
            self.transport.abort()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        if cycle.scope["http_version"] != "1.1":
            app = _UntilClosed(cycle, app)
        super()._start_asgi_task(cycle, app)

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers_came()
        running = self._running
        if running is not None and running is not self.cycle and not running.response_complete:
            running.disconnected = True
            running.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """The same refusal in OpenAI's shape."""
        self._refuse("400 Bad Request", msg, "invalid_http")

    def _refuse(self, status: str, message: str, code: str) -> None:
        """Answer before there is a request, and close."""
        self._headers_came()
        self.transport.write(
            refusal(status, message, code, self.client[0] if self.client else None)
        )
        self.transport.close()


class _UntilClosed:
    """An application whose bodies of unknown length end with the connection.

    HTTP/1.0 knows no chunks (RFC 9112, 6.1 and 6.3).
    """

    def __init__(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._cycle = cycle
        self._app = app
        self._unknown_length = False

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, _send: ASGISendCallable
    ) -> None:
        self._cycle.keep_alive = False
        await self._app(scope, receive, self._send)

    async def _send(self, message: ASGISendEvent) -> None:
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message["headers"]}
            self._unknown_length = b"content-length" not in names
            if self._unknown_length:
                self._cycle.chunked_encoding = False
        elif message["type"] == "http.response.body" and self._unknown_length:
            self._cycle.expected_content_length = len(message["body"])  # what uvicorn lets pass
        await self._cycle.send(message)
