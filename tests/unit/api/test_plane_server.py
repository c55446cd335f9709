"""The data plane's server, begun and ended: what is under way ends by itself, or is ended."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from app.api import plane_server
from app.api.call import DataPlaneLimits
from app.api.data_plane import DataPlane
from app.api.listener import ConnectionLimits, bind
from app.api.plane_server import serving_plane
from app.api.readiness import Readiness
from app.gateway import Gateway
from app.ports import Call, Reply

GET = b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n"
LIMITS = ConnectionLimits()


class Held:
    """A gateway that answers when it may."""

    def __init__(self) -> None:
        self.came = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.ended = 0

    async def handle(self, _call: Call, reply: Reply) -> None:
        self.came.set()
        try:
            await self.may_answer.wait()
            await reply.start(200, {"content-length": "2"})
            await reply.send(b"ok")
            await reply.finish()
        finally:
            self.ended += 1

    def plane(self) -> DataPlane:
        limits = DataPlaneLimits(max_body=1024, body_s=20.0, write_stall_s=20.0, max_in_flight=10)
        return DataPlane(lambda: cast("Gateway", self), Readiness(), lambda: limits)


@asynccontextmanager
async def asked(listener: socket.socket) -> AsyncIterator[asyncio.StreamReader]:
    """A connection on which one request was sent."""
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    try:
        writer.write(GET)
        yield reader
    finally:
        writer.transport.abort()


async def test_an_idle_server_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for what is under way and for nothing else, not for idle connections."""
    monkeypatch.setattr(plane_server, "_ENDING_S", 60.0)
    gateway, listener = Held(), bind("127.0.0.1", 0)
    gateway.may_answer.set()
    async with serving_plane(gateway.plane(), listener, LIMITS), asked(listener) as reader:
        await reader.readuntil(b"ok")
        began = time.monotonic()
    assert time.monotonic() - began < 20


async def test_what_is_under_way_is_finished_after_the_listener_closed() -> None:
    """New connections are refused meanwhile, and the connection ends with its answer."""
    gateway, listener = Held(), bind("127.0.0.1", 0)
    address = listener.getsockname()
    serving = serving_plane(gateway.plane(), listener, LIMITS)
    async with serving as server, asked(listener) as reader:
        await gateway.came.wait()
        server.stop_accepting()
        server.stop_accepting()  # again is fine
        with pytest.raises(OSError, match=r"refused|reset|Connect"):
            await asyncio.open_connection(*address)
        gateway.may_answer.set()
        answer = await reader.read()
    assert answer.endswith(b"ok")
    assert b"connection: close" in answer.lower()


async def test_what_does_not_end_is_ended() -> None:
    """A call that nobody drained keeps no process alive."""
    gateway, listener = Held(), bind("127.0.0.1", 0)
    async with serving_plane(gateway.plane(), listener, LIMITS), asked(listener) as reader:
        await gateway.came.wait()
        began = time.monotonic()
    assert time.monotonic() - began < 20
    assert gateway.ended == 1
    assert await reader.read() == b""


async def test_answers_tell_the_date_of_their_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first on, and another one when it is later."""
    monkeypatch.setattr(plane_server, "_DATE_S", 0.01)
    gateway, listener = Held(), bind("127.0.0.1", 0)
    gateway.may_answer.set()
    told: set[bytes] = set()
    async with serving_plane(gateway.plane(), listener, LIMITS):
        async with asyncio.timeout(60):
            while len(told) < 2:
                async with asked(listener) as reader:
                    head = await reader.readuntil(b"\r\n\r\n")
                told.update(re.findall(rb"\r\ndate: (\w{3}, [^\r]+ GMT)\r\n", head))
                await asyncio.sleep(0.05)


async def test_what_cannot_listen_says_so() -> None:
    """Two may bind one address as long as neither listens."""
    first = bind("127.0.0.1", 0)
    with socket.socket() as second:
        second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        second.bind(first.getsockname())
        second.settimeout(0)
        async with serving_plane(Held().plane(), first, LIMITS):
            with pytest.raises(OSError, match="in use"):
                async with serving_plane(Held().plane(), second, LIMITS):
                    pytest.fail("two listen on one port")
