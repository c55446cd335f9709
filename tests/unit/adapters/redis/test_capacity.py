"""Replicas that tell each other what they take of deployments."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import msgspec
import pytest
from structlog.testing import capture_logs

from app.adapters.clock import SystemClock
from app.adapters.redis import capacity
from app.adapters.redis.capacity import CHANNEL, Message, sharing
from app.adapters.redis.connection import subscribed, subscribing_client
from app.adapters.redis.store import Place, opened_store
from app.domain.capacity.calibration import Learnt
from app.domain.capacity.capacity_book import CapacityBook
from app.domain.capacity.demand import Demand, Load
from app.domain.capacity.peers import DeploymentNews
from app.domain.capacity.provisioned import PtuCapacity
from app.domain.capacity.shadow_bucket import Belief
from app.domain.capacity.shares import Claim
from tests.fakes.patient import PATIENCE_S, patient, patient_client

CLOCK = SystemClock()
NOBODY = "unix:///nonexistent/redis.sock"
#: A tenth of the bucket of a PTU that does 100 tokens a second.
LOAD = Load(Claim("acme"), Demand(600, 0))


@asynccontextmanager
async def replica(
    url: str, deployment: str, place: Place | None = None
) -> AsyncIterator[CapacityBook]:
    """One replica's book, in step with the others."""
    name = uuid4().hex
    book = CapacityBook(name)
    book.follow({deployment: PtuCapacity(100.0, 4.0)}, CLOCK.now())
    async with (
        opened_store(place or patient(url), CLOCK) as store,
        sharing(book, store, CLOCK, name),
    ):
        yield book


def used(book: CapacityBook) -> float:
    """The used part of its only deployment."""
    (value,) = book.utilizations(CLOCK.now()).values()
    return value


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.002)


async def all_hear(url: str, number: int) -> None:
    """Return when there are so many who hear what is told."""
    async with patient_client(url) as client, asyncio.timeout(PATIENCE_S):
        while (await client.pubsub_numsub(CHANNEL))[0][1] < number:
            await asyncio.sleep(0.002)


async def test_what_one_takes_the_other_knows(redis_url: str) -> None:
    """Both ways, and by whom: the parts of the tenants that ask are shared, too."""
    name = f"ptu-{uuid4().hex}"
    async with replica(redis_url, name) as one, replica(redis_url, name) as other:

        def asked() -> bool:
            one.take(name, LOAD, CLOCK.now())  # until the other has subscribed
            return used(other) > 0.05

        await until(asked)
        await until(lambda: abs(used(one) - used(other)) < 0.02)
        one.rooms((name,), LOAD, CLOCK.now())
        await until(lambda: other.parts(name, CLOCK.now()) == {"acme": 1.0})


async def test_what_is_taken_after_a_silence_is_told_at_once(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with the next message of a quiet time, which is an hour away here."""
    name = f"ptu-{uuid4().hex}"
    monkeypatch.setattr(capacity, "IDLE_S", 3600.0)
    async with replica(redis_url, name) as one, replica(redis_url, name) as other:
        await all_hear(redis_url, 2)
        one.take(name, LOAD, CLOCK.now())
        await until(lambda: used(other) > 0.05)


async def test_who_is_alone_tells_whoever_comes_at_once(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then it tells as seldom as in a quiet time, where each message is an hour away here."""
    name, heard = f"ptu-{uuid4().hex}", list[bytes]()
    monkeypatch.setattr(capacity, "IDLE_S", 3600.0)
    async with (
        subscribing_client(patient(redis_url)) as client,
        subscribed(client, CHANNEL, heard.append),
        replica(redis_url, name) as one,
    ):
        one.take(name, LOAD, CLOCK.now())
        await until(lambda: len(heard) == 1)
        for _ in range(4):
            one.take(name, LOAD, CLOCK.now())
            await asyncio.sleep(2 * capacity.TELL_S)
        async with replica(redis_url, name) as other:
            await all_hear(redis_url, 3)
            other.take(name, LOAD, CLOCK.now())
            await until(lambda: used(other) > 0.4)
    senders = [msgspec.msgpack.decode(message)["sender"] for message in heard]
    assert senders.count(senders[0]) <= 3  # one more, where it had not heard itself yet


async def test_who_may_be_deaf_tells_as_if_others_were_there(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is not told its own would not be told theirs, either."""
    name, heard = f"ptu-{uuid4().hex}", list[bytes]()
    monkeypatch.setattr(capacity, "IDLE_S", 3600.0)
    monkeypatch.setattr(capacity, "_HEARS_ITSELF_S", 0.0)
    async with (
        subscribing_client(patient(redis_url)) as client,
        subscribed(client, CHANNEL, heard.append),
        replica(redis_url, name) as one,
    ):

        def told() -> bool:
            one.take(name, LOAD, CLOCK.now())
            return len(heard) > 3

        await until(told)


async def test_without_redis_each_counts_its_own() -> None:
    """Nothing waits, nothing is raised."""
    async with replica(NOBODY, "ptu") as book:
        for _ in range(10):
            book.take("ptu", LOAD, CLOCK.now())
            await asyncio.sleep(0.01)
        assert used(book) > 0.9


#: No valid message; one that is too long; one that cannot be true, of every deployment.
WRONG: dict[str, Callable[[str], bytes]] = {
    "DecodeError": lambda _: b"\xc1junk",
    "too long": lambda _: bytes(capacity.MOST_BYTES + 1),
    "unsound belief": lambda name: msgspec.msgpack.encode(
        Message("junk", {name: DeploymentNews(belief=Belief(70.0, Learnt(pace=0.0)))})
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_what_cannot_be_read_is_ignored_and_told_once(redis_url: str, wrong: str) -> None:
    """Another version may be telling its own; what comes afterwards is heard."""
    name = f"ptu-{uuid4().hex}"
    data = WRONG[wrong](name)
    with capture_logs() as logs:
        async with (
            patient_client(redis_url) as client,
            replica(redis_url, name) as one,
            replica(redis_url, name) as other,
        ):

            async def junk() -> bool:
                return bool(await client.publish(CHANNEL, data))

            async with asyncio.timeout(PATIENCE_S):
                while not await junk():
                    await asyncio.sleep(0.01)
            await junk()

            def asked() -> bool:
                one.take(name, LOAD, CLOCK.now())
                return used(other) > 0.05

            await until(asked)
            other.rooms((name,), LOAD, CLOCK.now())
    told = [log for log in logs if log["event"] == "message_ignored"]
    assert 1 <= len(told) <= 2  # once by each of both
    assert all("junk" not in str(log) for log in told)
    assert {log["problem"] for log in told} == {wrong}


async def test_a_frozen_redis_delays_nothing() -> None:
    """It takes what is sent and answers nothing; who plans and takes does not wait for it."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    frozen = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = frozen.sockets[0].getsockname()[1]
    url = f"redis://127.0.0.1:{port}/0"
    async with frozen, replica(url, "ptu", Place(url)) as book:
        for _ in range(20):
            began = CLOCK.now()
            book.rooms(("ptu",), LOAD, began)
            book.take("ptu", LOAD, began)
            await asyncio.sleep(0)
            assert CLOCK.now() - began < 1
            await asyncio.sleep(0.01)
        assert used(book) > 1.9


async def test_what_a_newer_version_adds_is_passed_over(redis_url: str) -> None:
    """Fields that this one does not know, in every part of a message: the rest is heard."""
    name = f"ptu-{uuid4().hex}"
    news = DeploymentNews(
        total=30.0, fresh=30.0, asked=[Claim("acme")], belief=Belief(20.0, Learnt())
    )
    message = msgspec.to_builtins(Message("a newer one", {name: news}))
    told = message["news"][name]
    for part in (message, told, told["asked"][0], told["belief"]):
        part["not_yet_known"] = {"some": [1, 2]}
    async with patient_client(redis_url) as client, replica(redis_url, name) as one:
        async with asyncio.timeout(PATIENCE_S):
            while used(one) < 0.2:
                await client.publish(CHANNEL, msgspec.msgpack.encode(message))
                await asyncio.sleep(0.01)
