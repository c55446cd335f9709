"""HTTP/1.1 on the data plane: one client's connection, its calls one after the other.

A protocol for a server, without ASGI between it and the gateway. httptools reads; a call
is begun with its headers and fed its body; a close reaches the call that is running. Heads are
limited in size and time, idle connections in time, what comes around a body in size, and calls that
wait for the running one in number. Which heads are refused besides is in `strict_head.py`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

import httptools

from app.api.answer_head import CommonLines
from app.api.call import Head, HttpCall
from app.api.forwarded import TrustedProxies, plain
from app.api.header_names import HeaderNames
from app.api.line import dropped
from app.api.listener import ConnectionLimits, Crowd
from app.api.plane import Plane, State
from app.api.refusal import TOO_MANY, refusal
from app.api.strict_head import (
    AROUND_EACH_BYTE,
    MAX_AROUND_BYTES,
    MAX_HEADER_BYTES,
    MAX_LINES,
    MAX_TARGET_BYTES,
    BadHead,
    Hosts,
    Targets,
    large_head,
    long_target,
    no_http,
    no_upgrade,
    refuse_bad,
    several_hosts,
    too_many_lines,
    too_much_around,
)

#: Calls that may wait for the one before them; while more do, nothing is read.
_MOST_WAITING: Final = 8


class Serving:
    """What the connections of one listener share."""

    def __init__(
        self, plane: Plane, limits: ConnectionLimits, proxies: TrustedProxies | None = None
    ) -> None:
        """The plane has its own limit for bodies, which a reload changes."""
        self.plane = plane
        self.proxies = proxies
        self.header_s = limits.header_s
        self.keep_alive_s = limits.keep_alive_s
        self.crowd = Crowd(limits.most)
        self.one_closed = asyncio.Event()
        self.names = HeaderNames()
        self.hosts = Hosts()
        self.targets = Targets()
        self.common: CommonLines | None = None

    def connection(self, *, server_state: State, **_: object) -> ClientConnection:
        """What a server makes for each client."""
        self.common = self.common or CommonLines(server_state)
        return ClientConnection(self, server_state, self.common)


class ClientConnection(asyncio.Protocol):
    """One client connection."""

    def __init__(self, serving: Serving, state: State, common: CommonLines) -> None:
        """`state` knows the connections and tasks of a server."""
        self.would_block = False
        self.write: Callable[[bytes], None] = dropped  # the transport's, while it is open
        self._serving = serving
        self._plane = serving.plane
        self._names = serving.names
        self._hosts = serving.hosts
        self._targets = serving.targets
        self._state = state
        self.common = common
        self._loop = asyncio.get_running_loop()
        self._parser: Any = httptools.HttpRequestParser(self)
        # What follows a last request is not read, rather than spoiling its answer.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._target = b""
        self._headers: dict[str, str] = {}
        self._repeated = 0  # header lines that have no place of their own in `_headers`
        self._in_head = False
        self._head_bytes = 0
        self._around = 0  # bytes that came around a body's, in reads that did not end it
        self._head_timer: asyncio.TimerHandle | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._idle_since = 0.0
        self._reading: HttpCall | None = None  # whose body is on its way
        self._running: HttpCall | None = None
        self._peer: str | None = None
        self._is_proxied = False
        self._waiting: deque[HttpCall] = deque()
        self._is_paused = False
        self._is_over = False  # nothing more is read
        self._is_closed = False  # nothing more is written
        self._has_room: asyncio.Future[None] | None = None

    # What the loop tells.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        self.transport = transport
        if peer := transport.get_extra_info("peername"):
            proxies, self._peer = self._serving.proxies, plain(str(peer[0]))
            self._is_proxied = proxies is not None and proxies.trust(self._peer)
        if not self._serving.crowd.lets_in(len(self._state.connections)):
            self._end()
            transport.write(TOO_MANY)
            transport.close()
            return
        self.write = transport.write
        self._state.connections.add(self)
        self._head_timer = self._loop.call_later(self._serving.header_s, self._give_up)

    def data_received(self, data: bytes) -> None:
        """Bounded while headers are incomplete: the parser would collect them for ever."""
        if self._is_over:
            return
        reading = self._reading
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            # What we raised ourselves, the parser keeps as the reason for its own.
            own = error.__context__
            self._refuse(own if isinstance(own, BadHead) else no_http())
        except httptools.HttpParserUpgrade:
            pass  # refused with its headers
        if self._in_head:
            self._await_head(len(data))
        elif reading is not None and reading is self._reading:
            self._await_body(len(data))

    def eof_received(self) -> None:
        """Who sends no more is taken for gone: the transport closes."""
        self._end()
        self._linger()

    def pause_writing(self) -> None:
        self.would_block = True

    def resume_writing(self) -> None:
        self.would_block = False
        if self._has_room is not None and not self._has_room.done():
            self._has_room.set_result(None)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._end()
        self._state.connections.discard(self)
        for timer in (self._head_timer, self._idle_timer):
            if timer is not None:
                timer.cancel()
        self._waiting.clear()
        self.resume_writing()
        if self._running is not None:
            self._running.client_left()
        self._parser = None
        self._serving.one_closed.set()

    # What the parser tells.

    def on_message_begin(self) -> None:
        self._in_head = True
        self._head_bytes = 0
        self._target = b""
        self._headers = {}
        self._repeated = 0
        self._names.missed = 0

    def on_url(self, part: bytes) -> None:
        self._target += part
        if len(self._target) > MAX_TARGET_BYTES:
            raise long_target()

    def on_header(self, raw_name: bytes, raw_value: bytes) -> None:
        """A repeated header is joined (RFC 9110, 5.3), so two keys are none.

        Blanks behind a value are none of it (5.5); the parser leaves them there.

        Trailers are no headers: whoever filtered those did not see them (RFC 9110, 6.5.1).
        """
        name, headers = self._names[raw_name], self._headers
        if not self._in_head:
            return
        value = raw_value.rstrip(b" \t").decode("latin-1")
        if name in headers or not name:
            self._repeat(name, value)
        else:
            headers[name] = value

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        parser, headers = self._parser, self._headers
        if parser.should_upgrade():
            self._refuse(no_upgrade())
            return
        if len(headers) + self._repeated > MAX_LINES:
            raise too_many_lines()
        version = parser.get_http_version()
        refuse_bad(version, headers, self._hosts)
        is_current, method = version == "1.1", parser.get_method().decode()
        path, query = self._targets[self._target]
        keep_alive = is_current and parser.should_keep_alive()
        head = Head(method, path, query, headers, keep_alive, is_current)
        self._begin(self._plane.call(head, self))

    def on_body(self, body: bytes) -> None:
        if self._reading is not None:
            self._around -= AROUND_EACH_BYTE * len(body)
            self._reading.feed(body)

    def on_message_complete(self) -> None:
        if self._reading is not None:
            self._reading.ends()
            self._reading = None

    # What the server tells.

    def shutdown(self) -> None:
        """Close when the call that is running has its answer; at once where none is."""
        if self._running is None:
            self._close()
        else:
            self._running.head.keep_alive = False

    # What a call and its reply ask for.

    def client(self, headers: Mapping[str, str]) -> str | None:
        """By what the nearest proxy says, where the peer is one that is trusted."""
        if self._is_proxied and self._serving.proxies is not None and self._peer is not None:
            return self._serving.proxies.client(self._peer, headers.get("x-forwarded-for", ""))
        return self._peer

    async def room(self) -> None:
        while self.would_block and not self._is_closed:
            self._has_room = self._loop.create_future()
            await self._has_room

    def abort(self) -> None:
        self._end()
        self.transport.abort()

    def pause_reading(self) -> None:
        if not self._is_paused and not self._is_closed:
            self._is_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if self._is_paused and not self._is_closed:
            self._is_paused = False
            self.transport.resume_reading()

    def answered(self, *, keep_alive: bool) -> None:
        self._running = None
        if self._is_closed:
            return
        if not keep_alive:
            self._close()
            return
        if self._waiting:
            self._start(self._waiting.popleft())
        else:
            self._idle_since = self._loop.time()
            if self._idle_timer is None:
                limit_s = self._serving.keep_alive_s
                self._idle_timer = self._loop.call_later(limit_s, self._look_at_idleness)
        if self._is_paused and len(self._waiting) <= _MOST_WAITING:
            self.resume_reading()

    def left(self, task: asyncio.Task[None] | None, *, is_answered: bool) -> None:
        if task is not None:
            self._state.tasks.discard(task)
        if not is_answered:
            self._close()

    def _begin(self, call: HttpCall) -> None:
        self._reading = call
        self._around = 0
        if self._running is None:
            self._start(call)
            return
        self._waiting.append(call)
        if len(self._waiting) > _MOST_WAITING:
            self.pause_reading()

    def _start(self, call: HttpCall) -> None:
        self._running = call
        # Not by the loop: it has a name made up first, and then takes the one that it is given.
        serving = self._plane.serve(call)
        call.task = asyncio.Task(serving, loop=self._loop, name=call.request_id)
        self._state.tasks.add(call.task)

    def _repeat(self, name: str, value: str) -> None:
        """A line that has no place of its own."""
        if name == "host":
            raise several_hosts()
        self._repeated += 1
        if self._repeated > MAX_LINES:
            raise too_many_lines()
        if name:
            self._headers[name] = f"{self._headers[name]}, {value}"

    def _await_head(self, received: int) -> None:
        """A head is not whole at the end of a read."""
        self._head_bytes += received
        if self._head_bytes > MAX_HEADER_BYTES:
            self._refuse(large_head())
        elif self._head_timer is None:
            self._head_timer = self._loop.call_later(self._serving.header_s, self._give_up)

    def _await_body(self, received: int) -> None:
        """A body is not whole at the end of a read: the parser would collect a trailer for ever."""
        self._around = max(0, self._around + received)
        if self._around > MAX_AROUND_BYTES:
            self._refuse(too_much_around())

    def _give_up(self) -> None:
        """Drop a client that drips its headers, or sends none."""
        self.abort()

    def _look_at_idleness(self) -> None:
        """One timer for all of a connection's pauses; it looks again when the last may be over."""
        limit_s = self._serving.keep_alive_s
        left_s = self._idle_since + limit_s - self._loop.time()
        is_busy = self._running is not None or self._in_head
        if is_busy or left_s > 0:
            again_s = limit_s if is_busy else left_s
            self._idle_timer = self._loop.call_later(again_s, self._look_at_idleness)
        elif self.would_block:  # what it does not read would keep it open
            self.abort()
        else:
            self._close()

    def _refuse(self, bad: BadHead) -> None:
        """Answer what is no request, and close.

        Where an answer is due, or under way, that one comes first, and is the last. Where it is
        out before the body has ended, it was the last.
        """
        self._in_head, self._is_over = False, True
        running = self._running
        if running is not None and (running.is_begun or running is not self._reading):
            running.head.keep_alive = False
            self._waiting.clear()
            return
        if running is not None or self._reading is None:
            self.write(refusal(bad.status, bad.message, bad.code, self._peer))
        self._close()

    def _end(self) -> None:
        """Neither read nor write any more."""
        self._is_over = self._is_closed = True
        self.write = dropped

    def _close(self) -> None:
        """After what was written has been taken."""
        self._end()
        self.transport.close()
        self._linger()

    def _linger(self) -> None:
        """A client that does not read the rest keeps nothing open for longer than an idle one."""
        if self._parser is None:  # it is gone: a timer would keep the connection in memory
            return
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        limit_s = self._serving.keep_alive_s
        self._idle_timer = self._loop.call_later(limit_s, self.transport.abort)
