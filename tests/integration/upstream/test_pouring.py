"""A body that is handed on as it comes: nothing is lost, doubled, or handed to who wants no more.

Each story is told to our own client, which hands on what it reads where it reads it, and to one
that reads in a loop: what both do is what the relay may count on.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest

from app.adapters.azure.deployments import Transport
from app.adapters.upstream import HttpTransport
from app.adapters.upstream.connection import HIGH_WATER_BYTES
from app.domain.routing.deployment import Timeouts
from app.errors import UpstreamDisconnected, UpstreamTimeout
from app.ports import UpstreamResponse
from tests.fakes.aiohttp_transport import AiohttpTransport
from tests.fakes.scripted_upstream import CHUNKED, Line, Script, server

PATIENCE_S = 10.0
END = b"0\r\n\r\n"
MIB = 1024 * 1024


@pytest.fixture(params=[HttpTransport, AiohttpTransport], ids=["own", "aiohttp"])
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    opening: Callable[[], AbstractAsyncContextManager[Transport]] = request.param
    async with opening() as open_transport:
        yield open_transport


async def post(transport: Transport, url: str, *, total: float = 30.0) -> UpstreamResponse:
    limits = Timeouts(connect=2.0, first_byte=10.0, total=total)
    return await transport.send("POST", url, {"api-key": "k"}, b"{}", timeouts=limits)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Taker:
    """Takes what it is handed, and says no where it is told to; tells when it has so much."""

    def __init__(self, *, no_to: Callable[[bytes], bool] = lambda _: False) -> None:
        self.taken: list[bytes] = []
        self._no_to = no_to
        self._came = asyncio.Event()

    def __call__(self, data: bytes) -> bool:
        self.taken.append(data)
        self._came.set()
        return not self._no_to(data)

    @property
    def all(self) -> bytes:
        return b"".join(self.taken)

    async def has(self, data: bytes) -> None:
        async with asyncio.timeout(60):
            while self.all != data:
                await self._came.wait()
                self._came.clear()


def word_by_word(*words: bytes, heard: Callable[[int], asyncio.Event], end: bytes = END) -> Script:
    """Says a word when the one before it was heard."""

    async def says(line: Line) -> None:
        await line.request()
        await line.say(CHUNKED)
        for number, word in enumerate(words):
            await line.say(chunk(word))
            await heard(number).wait()
        if end:
            await line.say(end)
        else:
            line.writer.close()

    return says


class Heard:
    """Which words were."""

    def __init__(self) -> None:
        self._events: dict[int, asyncio.Event] = {}

    def __call__(self, number: int) -> asyncio.Event:
        return self._events.setdefault(number, asyncio.Event())


async def test_each_part_is_handed_on_when_it_comes(transport: Transport) -> None:
    """Not when the next one does: the server waits for it. The end says that it was all."""
    heard, taker = Heard(), Taker()
    async with server(word_by_word(b"one", b"two", heard=heard)) as upstream:
        response = await post(transport, upstream.url)
        pouring = asyncio.create_task(response.pour(taker, PATIENCE_S))
        await taker.has(b"one")
        heard(0).set()
        await taker.has(b"onetwo")
        assert not pouring.done()
        heard(1).set()
        assert await pouring is False
        response.close()


async def test_who_wants_no_more_is_handed_no_more(transport: Transport) -> None:
    """What it said no to it has; the rest is there for whoever asks next, and for a reader."""
    heard = Heard()
    first = Taker(no_to=lambda _: True)
    async with server(word_by_word(b"one", b"two", b"three", heard=heard)) as upstream:
        response = await post(transport, upstream.url)
        assert await response.pour(first, PATIENCE_S) is True
        heard(0).set()
        assert await response.read(PATIENCE_S) == b"two"
        second = Taker()
        pouring = asyncio.create_task(response.pour(second, PATIENCE_S))
        heard(1).set()
        await second.has(b"three")
        heard(2).set()
        assert await pouring is False
        response.close()
    assert first.taken == [b"one"]


async def test_what_came_before_a_break_was_handed_on(transport: Transport) -> None:
    """And the break is told."""
    heard, taker = Heard(), Taker()
    async with server(word_by_word(b"one", heard=heard, end=b"")) as upstream:
        response = await post(transport, upstream.url)
        pouring = asyncio.create_task(response.pour(taker, PATIENCE_S))
        await taker.has(b"one")
        heard(0).set()
        with pytest.raises(UpstreamDisconnected):
            await pouring
        response.close()
    assert taker.taken == [b"one"]


async def test_patience_is_for_each_silence(transport: Transport) -> None:
    """It ends in a silence, whatever came before it, and pouring may go on afterwards."""
    heard, taker = Heard(), Taker()
    async with server(word_by_word(b"one", b"two", heard=heard)) as upstream:
        response = await post(transport, upstream.url)
        while not taker.taken:
            with pytest.raises(TimeoutError):
                await response.pour(taker, 0.1)
        assert taker.all == b"one"
        pouring = asyncio.create_task(response.pour(taker, PATIENCE_S))
        heard(0).set()
        await taker.has(b"onetwo")
        heard(1).set()
        assert await pouring is False
        response.close()


async def test_patience_begins_anew_with_each_part(transport: Transport) -> None:
    """All of them together may take longer."""

    async def word_after_word(line: Line) -> None:
        await line.request()
        await line.say(CHUNKED)
        for _ in range(8):
            await asyncio.sleep(0.1)
            await line.say(chunk(b"word"))
        await line.say(END)

    taker = Taker()
    async with server(word_after_word) as upstream:
        response = await post(transport, upstream.url)
        assert await response.pour(taker, 0.5) is False
        response.close()
    assert taker.all == b"word" * 8


async def for_ever(line: Line) -> None:
    """One word after the other, until the client has left."""
    await line.request()
    await line.say(CHUNKED)
    while not line.writer.is_closing():
        await line.say(chunk(b"word"))
        await asyncio.sleep(0.001)


async def test_the_whole_calls_time_is_over_while_parts_come(transport: Transport) -> None:
    """Parts that keep coming do not prolong it."""
    async with server(for_ever) as upstream:
        response = await post(transport, upstream.url, total=0.5)
        with pytest.raises(UpstreamTimeout):
            await response.pour(Taker(), PATIENCE_S)
        response.close()


async def test_the_whole_calls_time_is_over_while_parts_are_declined(transport: Transport) -> None:
    """Nor do those that nobody takes."""
    async with server(for_ever) as upstream:
        response = await post(transport, upstream.url, total=0.5)

        async def pour_on() -> None:
            while await response.pour(lambda _data: False, PATIENCE_S):
                pass

        with pytest.raises(UpstreamTimeout):
            await pour_on()
        response.close()


async def test_what_a_taker_raises_ends_the_pouring(transport: Transport) -> None:
    """It reaches whoever pours, and the connection can be let go of."""
    heard = Heard()

    def refuses(data: bytes) -> bool:
        raise LookupError(data.decode())

    async with server(word_by_word(b"one", heard=heard)) as upstream:
        response = await post(transport, upstream.url)
        with pytest.raises(LookupError, match="one"):
            await response.pour(refuses, PATIENCE_S)
        response.close()
        heard(0).set()


async def test_whoever_stopped_pouring_is_handed_nothing_more(transport: Transport) -> None:
    """A cancelled one, too, from that moment on; what comes then is kept for the next."""
    heard, taker = Heard(), Taker()
    async with server(word_by_word(b"one", b"two", heard=heard)) as upstream:
        response = await post(transport, upstream.url)
        pouring = asyncio.create_task(response.pour(taker, PATIENCE_S))
        await taker.has(b"one")
        pouring.cancel()
        heard(0).set()
        await asyncio.wait({pouring})
        assert await response.read(PATIENCE_S) == b"two"
        heard(1).set()
        response.close()
    assert pouring.cancelled()
    assert taker.taken == [b"one"]


@pytest.mark.parametrize("seed", range(4))
async def test_every_byte_is_handed_on_once(transport: Transport, seed: int) -> None:
    """However the body is cut, and whenever its taker pauses."""
    draw = random.Random(seed)
    body = draw.randbytes(3 * MIB)

    async def says(line: Line) -> None:
        await line.request()
        await line.say(CHUNKED)
        start = 0
        while start < len(body):
            size = draw.choice([1, 17, 4096, 70_000])
            await line.say(chunk(body[start : start + size]))
            start += size
        await line.say(END)

    taker = Taker(no_to=lambda _: draw.random() < 0.2)
    async with server(says) as upstream:
        response = await post(transport, upstream.url)
        while await response.pour(taker, PATIENCE_S):
            await asyncio.sleep(0)
        response.close()
    assert taker.all == body


async def test_a_taker_that_pauses_holds_the_upstream_back() -> None:
    """What waits for it is bounded, as it is for a reader; and goes on as soon as it does."""
    size = 24 * MIB

    async def floods(line: Line) -> None:
        await line.request()
        await line.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // MIB):
            await line.say(bytes(MIB))

    taker = Taker(no_to=lambda _: True)
    async with HttpTransport() as transport, server(floods) as upstream:
        response = await post(transport, upstream.url)
        while await response.pour(taker, PATIENCE_S):
            await asyncio.sleep(0)
        response.close()
    assert sum(map(len, taker.taken)) == size
    assert max(map(len, taker.taken)) <= 2 * HIGH_WATER_BYTES
