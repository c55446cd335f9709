"""A channel that is heard for as long as a scope is open, through silence, deafness and loss."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Self
from uuid import uuid4

import pytest
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as Lost
from structlog.testing import capture_logs

from app.adapters.clock import SystemClock
from app.adapters.redis import hearing
from app.adapters.redis.hearing import Hearing
from app.adapters.redis.store import Subscriber, opened_store
from tests.fakes.patient import PATIENCE_S, patient, patient_client

NOBODY = "unix:///nonexistent/redis.sock"


class ScriptedSubscription:
    """One subscription: gives these messages, raising those that are errors, and is silent then."""

    def __init__(self, *messages: bytes | Exception | None) -> None:
        self._messages = list(messages)
        self.pings = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is held."""

    async def subscribe(self, _channel: str) -> None:
        await asyncio.sleep(0)

    async def ping(self) -> None:
        await asyncio.sleep(0)
        self.pings += 1

    async def get_message(self, **_: object) -> dict[str, Any] | None:
        await asyncio.sleep(0)
        if not self._messages:
            return None
        message = self._messages.pop(0)
        if isinstance(message, Exception):
            raise message
        return None if message is None else {"type": "message", "data": message}


class Scripted:
    """Subscriptions that are given out one after the other; then none comes about."""

    def __init__(self, *subscriptions: ScriptedSubscription) -> None:
        self._left = list(subscriptions)

    def pubsub(self) -> PubSub:
        if not self._left:
            raise Lost
        return self._left.pop(0)  # type: ignore[return-value]  # as much of one as is used


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
async def hears(subscriber: Subscriber, channel: str = "c") -> AsyncIterator[Heard]:
    heard = Heard()
    kept = Hearing(channel, subscriber, heard.take, heard.begin)
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
        hears(store.subscriber, channel) as heard,
    ):
        await until(lambda: heard.begun)
        for message in (b"one", b"bad", b"two"):
            await client.publish(channel, message)
        await until(lambda: len(heard.messages) == 2)
        assert heard.messages == [b"one", b"two"]


async def test_a_lost_subscription_is_begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever applies messages is told that some were missed; the log names the change alone."""
    monkeypatch.setattr(hearing, "RETRY_S", 0.01)
    first, second = ScriptedSubscription(b"one", Lost()), ScriptedSubscription(b"two")
    with capture_logs() as logs:
        async with hears(Scripted(first, second)) as heard:
            await until(lambda: len(heard.messages) == 2)
            assert heard.begun == 2
    assert [log["event"] for log in logs][:2] == ["channel_unheard", "channel_heard_again"]


async def test_a_subscription_that_answers_no_ping_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its line is open, and nothing comes: after three silences there is another."""
    monkeypatch.setattr(hearing, "RETRY_S", 0.01)
    deaf, next_one = ScriptedSubscription(), ScriptedSubscription(b"heard")
    async with hears(Scripted(deaf, next_one)) as heard:
        await until(lambda: heard.messages)
    assert deaf.pings == hearing.DEAF_AFTER_S


async def test_each_kind_of_what_cannot_be_read_is_logged_once() -> None:
    """Another version may be telling its own all the time; each is counted."""
    subscription = ScriptedSubscription(b"bad a", b"bad b", b"bad a", b"bad a", b"good")
    with capture_logs() as logs:
        async with hears(Scripted(subscription)) as heard:
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
            hears(store.subscriber) as heard,
        ):
            await asyncio.sleep(0.1)
    assert heard.begun == 0
    assert [log["event"] for log in logs].count("channel_unheard") == 1
