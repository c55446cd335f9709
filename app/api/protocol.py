"""uvicorn's HTTP/1.1 protocol, mended where an admin plane needs more than it gives.

Seen in uvicorn 0.54: a client that pipelined a second request and left is never reported to the
request that is running; invalid HTTP is answered in plain text, before an answer that is due;
headers, bodies and trailers may take for ever; several Host headers pass; HTTP/1.0 is answered in
chunks. The data plane has a protocol of its own, in `connection.py`. What makes no request is the
same for both: `strict_head.py`.
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

from app.api.forwarded import TrustedProxies, plain
from app.api.listener import ConnectionLimits, Crowd
from app.api.refusal import TOO_MANY, refusal
from app.api.strict_head import (
    AROUND_EACH_BYTE,
    MAX_AROUND_BYTES,
    MAX_HEADER_BYTES,
    MAX_LINES,
    MAX_TARGET_BYTES,
    BadHead,
    Hosts,
    large_head,
    long_target,
    no_http,
    no_upgrade,
    parts_of,
    refuse_bad,
    several_hosts,
    too_many_lines,
    too_much_around,
)

#: Headers that decide what a request is.
_DECIDING = frozenset({b"host", b"transfer-encoding", b"expect"})


class GatewayProtocol(HttpToolsProtocol):
    """One client connection."""

    limits = ConnectionLimits()
    crowd = Crowd(limits.most)
    proxies: TrustedProxies | None = None

    _running: RequestResponseCycle | None = None
    _stall: asyncio.TimerHandle | None = None
    _header_bytes = 0
    _deadline: asyncio.TimerHandle | None = None
    _in_head = True
    _in_body = False
    _around = 0  # bytes that came around a body's, in reads that did not end it
    _is_over = False  # nothing more is read

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        if not self.crowd.lets_in(len(self.connections)):
            self._is_over, self.transport = True, transport
            transport.write(TOO_MANY)
            transport.close()
            return
        super().connection_made(transport)
        self._hosts = Hosts()
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        """Bounded while headers are incomplete: the parser would collect them for ever."""
        if self._is_over:
            return
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as error:
            # What we raised ourselves, the parser keeps as the reason for its own.
            own = error.__context__
            self._refuse(own if isinstance(own, BadHead) else no_http())
        except httptools.HttpParserUpgrade:
            pass  # refused with its headers
        if not self._is_over:
            self._bound(len(data))

    def _bound(self, received: int) -> None:
        """What is not whole at the end of a read."""
        self._header_bytes = self._header_bytes + received if self._in_head else 0
        if self._header_bytes > MAX_HEADER_BYTES:
            self._refuse(large_head())
        self._around = max(0, self._around + received) if self._in_body else 0
        if self._around > MAX_AROUND_BYTES:
            self._refuse(too_much_around())

    def pause_writing(self) -> None:
        """A client that takes nothing of its answer is dropped after a time."""
        super().pause_writing()
        self._stall = self.loop.call_later(self.limits.write_stall_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._flows()

    def _flows(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def on_message_begin(self) -> None:
        self._expect_headers()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > MAX_TARGET_BYTES:
            raise long_target()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Trailers are no headers: whoever filtered those did not see them (RFC 9110, 6.5.1).

        Blanks behind a value are none of it (5.5); the parser leaves them there.
        """
        if not self._in_head:
            return
        super().on_header(name, value.rstrip(b" \t"))
        if len(self.headers) > MAX_LINES:
            raise too_many_lines()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._arrived()
        if self.parser.should_upgrade():
            self._refuse(no_upgrade())
            return
        self._refuse_bad()
        self._say_who_asks()
        self._in_body = True
        self._wait(self.limits.body_s)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._around -= AROUND_EACH_BYTE * len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body = False
        self._arrived()
        super().on_message_complete()

    def _say_who_asks(self) -> None:
        """The application is told of the client, not of a proxy that is trusted."""
        if self.client is None:
            return
        address, port = plain(self.client[0]), self.client[1]
        proxies, scope = self.proxies, self.scope
        scope["client"] = address, port
        if proxies is not None and proxies.trust(address):
            said = self._said(b"x-forwarded-for"), self._said(b"x-forwarded-proto")
            scope["client"] = proxies.client(address, said[0]), 0
            scope["scheme"] = proxies.scheme(said[1], scope["scheme"])

    def _said(self, name: bytes) -> str:
        """A header's values, joined as one (RFC 9110, 5.3)."""
        return b",".join(value for each, value in self.headers if each == name).decode("latin-1")

    def _refuse_bad(self) -> None:
        deciding: dict[str, str] = {}
        for raw_name, raw_value in self.headers:
            if raw_name in _DECIDING:
                name, value = raw_name.decode(), raw_value.decode("latin-1")
                if name == "host" and name in deciding:
                    raise several_hosts()
                deciding[name] = f"{deciding[name]}, {value}" if name in deciding else value
        refuse_bad(self.parser.get_http_version(), deciding, self._hosts)
        path, query = parts_of(self.url)
        if not self.url.startswith(b"/"):  # uvicorn cannot do without a path
            self.url = f"{path}?{query}".encode("ascii")

    def _expect_headers(self) -> None:
        self._in_head = True
        self._wait(self.limits.header_s)

    def _wait(self, limit_s: float) -> None:
        self._arrived()
        self._deadline = self.loop.call_later(limit_s, self._give_up)

    def _arrived(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        """Drop a client that drips; an idle one is the business of the keep-alive."""
        if self.transport.is_closing():
            return
        if self._in_head:
            self.transport.abort()
            return
        message = f"The request body did not arrive within {self.limits.body_s:g} s."
        self._refuse(BadHead(message, "408 Request Timeout", "request_timeout"))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        if cycle.scope["http_version"] != "1.1":
            app = _UntilClosed(cycle, app)
        super()._start_asgi_task(cycle, app)

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrived()
        self._flows()
        running = self._running
        if running is not None and running is not self.cycle and not running.response_complete:
            running.disconnected = True
            running.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """The same refusal in OpenAI's shape."""
        self._refuse(BadHead(msg))

    def _refuse(self, bad: BadHead) -> None:
        """Answer what is no request, and close.

        Where an answer is due, or under way, that one comes first, and is the last. Where it is
        out before the body has ended, it was the last.
        """
        self._arrived()
        self._is_over = True
        running = self._running
        is_answered = running is None or running.response_complete
        if running is not None and not is_answered and not self._is_read(running):
            running.keep_alive = False
            self.pipeline.clear()
            return
        if not is_answered or not self._in_body:
            address = self.client[0] if self.client else None
            self.transport.write(refusal(bad.status, bad.message, bad.code, address))
        self.transport.close()

    def _is_read(self, running: RequestResponseCycle) -> bool:
        """Whether its body is still on its way, and nothing of its answer is."""
        return running is self.cycle and self._in_body and not running.response_started


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
