"""A connection that hears one channel: what it hands on, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from redis.exceptions import ConnectionError as Lost
from redis.exceptions import InvalidResponse, NoPermissionError, RedisError

from app.adapters.redis import subscription as module
from app.adapters.redis.connection import redis_client, subscribed, subscribing_client
from app.adapters.redis.subscription import DEAF_AFTER, Subscription
from tests.fakes.patient import PATIENCE_S, patient, patient_client

BEGUN = b">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"


def said(message: bytes) -> bytes:
    return b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$%d\r\n%b\r\n" % (len(message), message)


class Server:
    """What it was told, and a way to say something."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def told(self, words: bytes) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self.reader.readuntil(words)

    def say(self, data: bytes) -> None:
        self.writer.write(data)


@asynccontextmanager
async def connected(heard: list[bytes]) -> AsyncIterator[tuple[Subscription, Server]]:
    """A subscription whose server this test is; it has subscribed."""
    servers: asyncio.Queue[Server] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await servers.put(Server(reader, writer))

    def take(message: bytes) -> None:
        if message == b"a defect":
            raise RuntimeError
        heard.append(message)

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    subscription = Subscription("c", take)
    loop = asyncio.get_running_loop()
    async with listening:
        await loop.create_connection(lambda: subscription, "127.0.0.1", port)
        server = await servers.get()
        await server.told(b"SUBSCRIBE\r\n$1\r\nc\r\n")
        try:
            yield subscription, server
        finally:
            await subscription.close()
            server.writer.close()


async def test_messages_are_handed_on_however_they_are_cut() -> None:
    """In their order; what else the server says is none."""
    heard: list[bytes] = []
    async with connected(heard) as (subscription, server):
        data = BEGUN + said(b"one") + b"+PONG\r\n" + said(b"\x00\r\n\xff") + said(b"")
        for place in range(len(data)):
            server.say(data[place : place + 1])
            await asyncio.sleep(0)
        await subscription.begun(PATIENCE_S)
        async with asyncio.timeout(PATIENCE_S):
            while len(heard) < 3:
                await asyncio.sleep(0.001)
    assert heard == [b"one", b"\x00\r\n\xff", b""]


@pytest.mark.parametrize(
    ("says", "raised"),
    [
        (b"-NOPERM no channel\r\n", NoPermissionError),
        (b"?\r\n", InvalidResponse),
        (b"", Lost),
    ],
)
async def test_one_that_does_not_begin_says_why(says: bytes, raised: type[RedisError]) -> None:
    """Refused, out of step, closed."""
    async with connected([]) as (subscription, server):
        server.say(says)
        if not says:
            server.writer.close()
        with pytest.raises(raised):
            await subscription.begun(PATIENCE_S)


async def test_a_server_that_does_not_confirm_is_not_waited_for() -> None:
    """It may be frozen."""
    async with connected([]) as (subscription, _):
        with pytest.raises(TimeoutError):
            await subscription.begun(0.01)


async def test_in_silence_it_asks_and_is_dead_when_nobody_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its line is open all the time."""
    monkeypatch.setattr(module, "PING_S", 0.01)
    async with connected([]) as (subscription, server):
        server.say(BEGUN)
        await subscription.begun(PATIENCE_S)
        with pytest.raises(TimeoutError):
            await subscription.kept()
        for _ in range(DEAF_AFTER):
            await server.told(b"PING\r\n")


async def test_one_that_answers_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as its line is open; how that ended is told."""
    monkeypatch.setattr(module, "PING_S", 0.2)
    async with connected([]) as (subscription, server):
        server.say(BEGUN)
        keeping = asyncio.create_task(subscription.kept())
        for _ in range(2 * DEAF_AFTER):
            await server.told(b"PING\r\n")
            server.say(b"+PONG\r\n")
        assert not keeping.done()
        server.writer.close()
        with pytest.raises(Lost):
            await keeping


async def test_a_defect_in_who_hears_ends_it_with_that() -> None:
    """Nothing is heard any more: he may be in the middle of something."""
    heard: list[bytes] = []
    async with connected(heard) as (subscription, server):
        server.say(BEGUN + said(b"one") + said(b"a defect") + said(b"two"))
        with pytest.raises(RuntimeError):
            await subscription.kept()
    assert heard == [b"one"]


async def test_of_a_real_server_nothing_is_left(redis_url: str) -> None:
    """It is heard once it has begun, and the server has no subscriber afterwards."""
    heard: list[bytes] = []
    channel = uuid4().hex
    async with subscribing_client(patient(redis_url)) as client, patient_client(redis_url) as other:
        async with subscribed(client, channel, heard.append):
            assert await other.publish(channel, b"one") == 1
            async with asyncio.timeout(PATIENCE_S):
                while not heard:
                    await asyncio.sleep(0.001)
        async with asyncio.timeout(PATIENCE_S):
            while await other.publish(channel, b"two"):
                await asyncio.sleep(0.001)
    assert heard == [b"one"]


async def test_where_nobody_is_it_does_not_begin() -> None:
    """And leaves nothing behind."""
    async with redis_client("unix:///nonexistent/redis.sock") as client:
        with pytest.raises(Lost):
            async with subscribed(client, "c", lambda _: None):
                raise AssertionError
