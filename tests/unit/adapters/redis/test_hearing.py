"""A channel that is heard for as long as a scope is open, through silence, deafness and loss."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import pytest
from redis.exceptions import ConnectionError as Lost
from structlog.testing import capture_logs

from app.adapters.clock import SystemClock
from app.adapters.redis import hearing
from app.adapters.redis.hearing import Hearing
from app.adapters.redis.store import Subscribed, opened_store
from app.adapters.redis.subscription import Subscription
from tests.fakes.patient import PATIENCE_S, patient, patient_client

NOBODY = "unix:///nonexistent/redis.sock"


class Scripted:
    """Subscriptions given out one after the other: each says this, and ends; then none begins."""

    def __init__(self, *subscriptions: Sequence[bytes]) -> None:
        self._left = list(subscriptions)

    @asynccontextmanager
    async def subscribed(
        self, channel: str, heard: Callable[[bytes], None]
    ) -> AsyncIterator[Subscription]:
        if not self._left:
            raise Lost
        subscription = Subscription(channel, heard)
        for message in self._left.pop(0):
            subscription.data_received(b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n" + bulk(message))
        subscription.connection_lost(None)
        yield subscription


def bulk(data: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(data), data)


class Heard:
    """What a hearing came to."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.begun = 0
        self.ignored_total = 0

    def take(self, data: bytes) -> None:
        if data.startswith(b"bad"):
            raise ValueError(data.decode())
        self.messages.append(data)

    def begin(self) -> None:
        self.begun += 1


@asynccontextmanager
async def hears(subscribed: Subscribed, channel: str = "c") -> AsyncIterator[Heard]:
    heard = Heard()
    kept = Hearing(channel, subscribed, heard.take, heard.begin)
    task = asyncio.create_task(kept.keep_hearing())
    try:
        yield heard
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        heard.ignored_total = kept.ignored_total


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.002)


async def test_what_is_published_is_heard(redis_url: str) -> None:
    """From the moment on at which the subscription has begun."""
    channel = uuid4().hex
    async with (
        patient_client(redis_url) as client,
        opened_store(patient(redis_url), SystemClock()) as store,
        hears(store.subscribed, channel) as heard,
    ):
        await until(lambda: heard.begun)
        for message in (b"one", b"bad", b"two"):
            await client.publish(channel, message)
        await until(lambda: len(heard.messages) == 2)
        assert heard.messages == [b"one", b"two"]


async def test_a_lost_subscription_is_begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever applies messages is told that some were missed; the log names the change alone."""
    monkeypatch.setattr(hearing, "RETRY_S", 0.01)
    with capture_logs() as logs:
        async with hears(Scripted([b"one"], [b"two"]).subscribed) as heard:
            await until(lambda: len(heard.messages) == 2)
            assert heard.begun == 2
    assert [log["event"] for log in logs][:2] == ["channel_unheard", "channel_heard_again"]


async def test_one_that_goes_deaf_is_begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its line is open, and nobody answers there."""
    monkeypatch.setattr(hearing, "RETRY_S", 0.01)
    scripted, deaf = Scripted([b"one"], [b"two"]), list[Subscription]()

    @asynccontextmanager
    async def subscribed(
        channel: str, heard: Callable[[bytes], None]
    ) -> AsyncIterator[Subscription]:
        async with scripted.subscribed(channel, heard) as subscription:
            if not deaf:
                deaf.append(subscription)
                raise TimeoutError
            yield subscription

    async with hears(subscribed) as heard:
        await until(lambda: heard.messages == [b"one", b"two"])


async def test_each_kind_of_what_cannot_be_read_is_logged_once() -> None:
    """Another version may be telling its own all the time; each is counted."""
    messages = [b"bad a", b"bad b", b"bad a", b"bad a", b"good"]
    with capture_logs() as logs:
        async with hears(Scripted(messages).subscribed) as heard:
            await until(lambda: heard.messages)
    ignored = [log["problem"] for log in logs if log["event"] == "message_ignored"]
    assert ignored == ["bad a", "bad b"]
    assert heard.ignored_total == 4


async def test_without_redis_it_goes_on_trying(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says so, however often it is tried."""
    monkeypatch.setattr(hearing, "RETRY_S", 0.001)
    with capture_logs() as logs:
        async with (
            opened_store(patient(NOBODY), SystemClock()) as store,
            hears(store.subscribed) as heard,
        ):
            await asyncio.sleep(0.1)
    assert heard.begun == 0
    assert [log["event"] for log in logs].count("channel_unheard") == 1
