"""Starting and stopping: neither waits for a tick, and both end what they began."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.api import server
from app.api.listener import SPREADS, CannotListen, ConnectionLimits, bind, hold
from app.api.server import serving

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
#: So many that one of two gets all of them once in a lifetime.
CONNECTIONS = 64
LIMITS = ConnectionLimits()

Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass
class Held:
    """An application that answers when it may."""

    came: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    body: bytes = b"ok"
    ended: int = 0

    async def __call__(self, scope: dict[str, Any], receive: object, send: Send) -> None:
        self.came.set()
        try:
            await self.may_answer.wait()
            length = (b"content-length", str(len(self.body)).encode())
            await send({"type": "http.response.start", "status": 200, "headers": [length]})
            await send({"type": "http.response.body", "body": self.body})
        finally:
            self.ended += 1


@asynccontextmanager
async def asked(listener: socket.socket) -> AsyncIterator[asyncio.StreamReader]:
    """A connection on which one request was sent."""
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    try:
        writer.write(GET)
        yield reader
    finally:
        writer.transport.abort()


async def refused(listener: socket.socket, address: Any) -> bool:
    """Whether nobody listens any more."""
    try:
        _, writer = await asyncio.open_connection(*address)
    except OSError:
        return True
    writer.transport.abort()
    return False


async def test_an_idle_server_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopping waits for what is under way and for nothing else, not for idle connections."""
    monkeypatch.setattr(server, "_ENDING_S", 60.0)
    app, listener = Held(), bind("127.0.0.1", 0)
    app.may_answer.set()
    async with serving(app, listener, LIMITS), asked(listener) as reader:
        await reader.readuntil(b"ok")
        began = time.monotonic()
    assert time.monotonic() - began < 20


async def test_answers_tell_the_date_from_the_first_on() -> None:
    """HTTP wants it; the first client is no exception."""
    app, listener = Held(), bind("127.0.0.1", 0)
    app.may_answer.set()
    async with serving(app, listener, LIMITS), asked(listener) as reader:
        head = await reader.readuntil(b"\r\n\r\n")
    assert b"\r\ndate: " in head.lower()


async def test_what_is_under_way_is_finished_after_the_listener_closed() -> None:
    """New connections are refused meanwhile, and the connection ends with its answer."""
    app, listener = Held(), bind("127.0.0.1", 0)
    address = listener.getsockname()
    async with serving(app, listener, LIMITS) as server, asked(listener) as reader:
        await app.came.wait()
        server.stop_accepting()
        async with asyncio.timeout(20):
            while not await refused(listener, address):
                await asyncio.sleep(0)
        app.may_answer.set()
        answer = await reader.read()
        assert answer.endswith(b"ok")
        assert b"connection: close" in answer.lower()


async def test_what_was_answered_but_not_read_yet_arrives() -> None:
    """The end of the scope does not cut an answer that is on its way."""
    app, listener = Held(body=b"x" * 8_000_000), bind("127.0.0.1", 0)
    app.may_answer.set()
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        async with serving(app, listener, LIMITS):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(GET)
            await app.came.wait()
            reading = tasks.create_task(reader.read())
        answer = await reading
        writer.close()
    assert answer.endswith(b"\r\n\r\n" + app.body)


async def test_what_does_not_end_is_ended() -> None:
    """A request that nobody drained, and a client that does not read, keep no process alive."""
    app, listener = Held(), bind("127.0.0.1", 0)
    began = time.monotonic()
    async with serving(app, listener, LIMITS), asked(listener) as reader:
        await app.came.wait()
        began = time.monotonic()
    assert time.monotonic() - began < 20
    assert app.ended == 1
    assert await reader.read() == b""


async def test_what_cannot_listen_says_so() -> None:
    """Two may bind one address as long as neither listens: the second must not wait for ever."""
    first = bind("127.0.0.1", 0)
    second = socket.socket()
    second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    second.bind(first.getsockname())

    async def serve_both() -> None:
        async with serving(Held(), first, LIMITS), serving(Held(), second, LIMITS):
            pytest.fail("two listen on one port")

    began = time.monotonic()
    with second, pytest.raises(OSError, match="in use"):
        await asyncio.wait_for(serve_both(), timeout=20)
    assert time.monotonic() - began < 15


def test_small_answers_are_not_held_back() -> None:
    """Asyncio sets TCP_NODELAY on what is accepted only where the listener names its protocol."""
    with bind("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP


@pytest.mark.skipif(not SPREADS, reason="the kernel gives one socket everything")
def test_sockets_that_share_an_address_share_its_connections() -> None:
    """Whoever keeps the address gets none of them."""
    with hold("127.0.0.1", 0) as holder:
        port = holder.getsockname()[1]
        with (
            bind("127.0.0.1", port, shared=True) as one,
            bind("127.0.0.1", port, shared=True) as two,
        ):
            for listener in (one, two):
                listener.listen(CONNECTIONS)
            clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
            came = [accepted(listener) for listener in (one, two)]
            for client in clients:
                client.close()
        assert min(came) > 0
        assert sum(came) == CONNECTIONS


@pytest.mark.parametrize("spreads", [True, False])
def test_an_address_is_not_shared_with_strangers(*, spreads: bool) -> None:
    """Not even with those that would: they would get our requests."""
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as stranger:
        port = stranger.getsockname()[1]
        with pytest.raises(CannotListen, match=f"cannot listen on 127.0.0.1:{port}: "):
            hold("127.0.0.1", port, spreads=spreads)


def test_an_address_to_be_inherited_is_listened_on() -> None:
    """Where sharing does not spread: a client is let in before anybody accepts."""
    with (
        hold("127.0.0.1", 0, spreads=False) as holder,
        socket.create_connection(holder.getsockname()),
    ):
        assert accepted(holder) == 1


def accepted(listener: socket.socket) -> int:
    """How many have come; their connections are closed."""
    count = 0
    listener.settimeout(0)
    with suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
            count += 1
    return count
