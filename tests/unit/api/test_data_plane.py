"""Requests as an ASGI server hands them over: each is told how it ended, and so is the operator."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import pytest

from app.api.call import DataPlaneLimits, Head
from app.api.data_plane import DataPlane
from app.api.listener import ConnectionLimits, bind
from app.api.plane_server import serving_plane
from app.api.readiness import Readiness
from app.domain.ledger.completion import Outcome
from app.gateway import Gateway
from app.ports import Call, Reply
from tests.fakes.house import House
from tests.fakes.line import FakeLine


def limits(
    *, max_in_flight: int = 10, body_s: float = 5.0, write_stall_s: float = 30.0
) -> Callable[[], DataPlaneLimits]:
    made = DataPlaneLimits(
        max_body=1 << 20, body_s=body_s, write_stall_s=write_stall_s, max_in_flight=max_in_flight
    )
    return lambda: made


@dataclass
class Exchange:
    """One request without a server around it, and what was sent back."""

    path: str = "/v1/models"
    line: FakeLine = field(default_factory=FakeLine)

    async def on(self, plane: DataPlane) -> None:
        headers = {"x-request-id": "req_1", "authorization": "Bearer key-of-acme"}
        call = plane.call(Head("GET", self.path, "", headers), self.line)
        call.task = asyncio.current_task()
        call.ends()
        await plane.serve(call)


class TestOverload:
    """More requests at once than this process may have."""

    async def test_a_refusal_is_recorded(self) -> None:
        """It is one request with one receipt, as any other, and costs no tenant anything."""
        house, exchange = House(), Exchange()
        await exchange.on(DataPlane(lambda: house.gateway, Readiness(), limits(max_in_flight=0)))

        receipt = house.receipt
        assert (exchange.line.status, receipt.status) == (503, 503)
        assert (receipt.outcome, receipt.error) == (Outcome.REFUSED, "gateway_overloaded")
        assert receipt.request_id == "req_1"

    async def test_what_fits_is_served(self) -> None:
        """The limit itself is still in."""
        house, exchange = House(), Exchange()
        await exchange.on(DataPlane(lambda: house.gateway, Readiness(), limits(max_in_flight=1)))

        assert (exchange.line.status, house.receipt.status) == (200, 200)


class Doing:
    """A gateway that does one thing with every request."""

    def __init__(self, act: Callable[[Reply], Awaitable[None]]) -> None:
        self._act = act
        self.stalled = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def handle(self, call: Call, reply: Reply) -> None:
        await reply.start(200, {"content-type": "text/event-stream"})
        self.stalled.set()
        await self.goes_on.wait()
        await self._act(reply)


async def _for_ever(reply: Reply) -> None:
    while True:
        await reply.send(b"data: {}\n\n" * 1000)


async def _silent(_: Reply) -> None:
    await asyncio.Event().wait()


@asynccontextmanager
async def under_way(
    exchange: Exchange, act: Callable[[Reply], Awaitable[None]], of: Callable[[], DataPlaneLimits]
) -> AsyncIterator[DataPlane]:
    """A request whose client stopped reading after the headers; it must end without a word."""
    gateway = Doing(act)
    plane = DataPlane(lambda: cast("Gateway", gateway), Readiness(), of)
    request = asyncio.create_task(exchange.on(plane))
    await gateway.stalled.wait()
    exchange.line.would_block = True
    gateway.goes_on.set()
    yield plane
    await request


async def took(work: Awaitable[object]) -> float:
    began = time.monotonic()
    async with asyncio.timeout(30):
        await work
    return time.monotonic() - began


class TestDrain:
    """The end of a drain is one for clients that do not read, too."""

    @pytest.mark.parametrize(
        "act", [_for_ever, _silent, lambda reply: reply.finish()], ids=["more", "silent", "whole"]
    )
    async def test_a_stalled_reader_does_not_outlast_it(
        self, act: Callable[[Reply], Awaitable[None]]
    ) -> None:
        """Whether there is more to send, nothing, or only the end; then the connection goes."""
        exchange = Exchange()
        async with under_way(exchange, act, limits(write_stall_s=60)) as plane:
            assert 0.1 <= await took(plane.drain(0.05, last_words_s=0.1)) < 20
        assert exchange.line.dropped.is_set()

    async def test_a_reader_has_time_for_the_last_words(self) -> None:
        """One that reads again within the second gets the error and keeps its connection."""
        exchange = Exchange()
        async with under_way(exchange, _silent, limits()) as plane:
            exchange.line.would_block = False
            assert await took(plane.drain(0.0, last_words_s=60)) < 20
        assert b"server_shutting_down" in exchange.line.sent
        assert exchange.line.sent.endswith(b"\r\n0\r\n\r\n")
        assert not exchange.line.dropped.is_set()

    async def test_a_client_that_leaves_during_the_last_words_is_no_failure(self) -> None:
        """The write's own limit is shorter here; nothing is raised into the server."""
        exchange = Exchange()
        async with under_way(exchange, _silent, limits(write_stall_s=0.05)) as plane:
            assert await took(plane.drain(0.0, last_words_s=60)) < 20
        assert exchange.line.dropped.is_set()

    async def test_a_real_connection_is_dropped(self, caplog: pytest.LogCaptureFixture) -> None:
        """Dropping it lets the write go that waited for it, and the server has nothing to say."""
        gateway = Doing(_for_ever)
        gateway.goes_on.set()
        plane = DataPlane(lambda: cast("Gateway", gateway), Readiness(), limits(write_stall_s=60))
        listener = bind("127.0.0.1", 0)
        address = listener.getsockname()
        async with serving_plane(plane, listener, ConnectionLimits()) as server:
            _, writer = await asyncio.open_connection(*address, limit=1024)
            writer.write(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n")
            await gateway.stalled.wait()
            server.stop_accepting()
            assert await took(plane.drain(0.3, last_words_s=0.2)) < 20
            writer.transport.abort()
        assert not caplog.records
