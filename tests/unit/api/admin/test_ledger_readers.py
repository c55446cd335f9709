"""A few readers of the ledger at once, whoever asks, and a thread for everybody else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager
from typing import IO, Any

import httpx2
import pytest
from starlette.requests import ClientDisconnect

from app.api.admin import ledger_readers
from app.api.admin.ledger_readers import (
    MOST,
    MOST_OF_ONE,
    MOST_OF_TENANTS,
    MOST_WAITING,
    LedgerReaders,
    TooManyReaders,
)
from app.api.admin.roles import Caller
from app.api.admin.streaming import PART_BYTES
from app.domain.identity.directory import Actor, Role
from app.domain.ledger.ledger_row import LedgerRow
from app.domain.ledger.usage_query import UsageQuery
from tests.fakes.admin import ADMIN_KEYS, AdminHouse
from tests.fakes.ledger import FakeUsageReader


def admin(name: str) -> Caller:
    return Caller(Actor(f"{name} (of that name)", Role.VIEWER))


def of_tenant(name: str, tenant: str) -> Caller:
    return Caller(Actor(name, Role.TENANT_ADMIN), tenant)


async def until(said: Callable[[], bool]) -> None:
    """Poll, with a deadline."""
    async with asyncio.timeout(60):
        while not said():
            await asyncio.sleep(0.001)


class Library:
    """Readers that read until they are let go; how many there are, and were at most."""

    def __init__(self, patience_s: float = 60.0) -> None:
        self.readers = LedgerReaders(patience_s)
        self.go = threading.Event()
        self.inside = 0
        self.most = 0
        self._lock = threading.Lock()

    def look(self) -> int:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.go.wait(60)
        with self._lock:
            self.inside -= 1
        return 7

    def come(self, caller: Caller) -> asyncio.Task[int]:
        return asyncio.create_task(self.readers.read(caller, self.look))


@asynccontextmanager
async def library(patience_s: float = 60.0) -> AsyncIterator[Library]:
    found = Library(patience_s)
    try:
        yield found
    finally:
        found.go.set()


async def test_that_a_handful_read_and_the_others_wait_for_them() -> None:
    """All are served in the end, never more at once."""
    async with library() as here:
        tasks = [here.come(admin(f"a{number}")) for number in range(3 * MOST)]
        await until(lambda: here.inside == MOST)
        here.go.set()
        assert await asyncio.gather(*tasks) == [7] * len(tasks)
        assert here.most == MOST


async def test_that_nobody_takes_all_places() -> None:
    """One administrator's third reader waits, under whatever name; another's does not."""
    async with library() as here:
        tasks = [here.come(admin("ada")) for _ in range(5)]
        tasks += [here.come(Caller(Actor("ada (renamed)", Role.VIEWER)))]
        await until(lambda: here.inside == MOST_OF_ONE)
        tasks.append(here.come(admin("bob")))
        await until(lambda: here.inside == MOST_OF_ONE + 1)
        here.go.set()
        await asyncio.gather(*tasks)


async def test_that_tenants_leave_a_place() -> None:
    """Keys of one tenant count together; all tenants together have not all places."""
    async with library() as here:
        tasks = [here.come(of_tenant(f"k{number}", "search")) for number in range(3)]
        await until(lambda: here.inside == MOST_OF_ONE)
        tasks += [here.come(of_tenant(f"k{number}", f"t{number}")) for number in range(3)]
        await until(lambda: here.inside == MOST_OF_TENANTS)
        tasks.append(here.come(admin("ada")))
        await until(lambda: here.inside == MOST)
        here.go.set()
        await asyncio.gather(*tasks)


async def test_that_who_waits_too_long_is_told_to_come_again() -> None:
    """And leaves no trace: the next one has the place."""
    async with library(patience_s=0.01) as here:
        tasks = [here.come(admin("ada")) for _ in range(MOST_OF_ONE)]
        await until(lambda: here.inside == MOST_OF_ONE)
        with pytest.raises(TooManyReaders) as caught:
            await here.come(admin("ada"))
        assert (caught.value.status, caught.value.retry_after_s) == (429, 0.01)
        here.go.set()
        await asyncio.gather(*tasks)
        assert await here.come(admin("ada")) == 7


async def test_that_a_crowd_is_refused_at_once() -> None:
    """Who waits is bounded, too, by itself: others wait and read as before."""
    async with library() as here:
        tasks = [here.come(admin("ada")) for _ in range(MOST_OF_ONE + MOST_WAITING)]
        tasks += [here.come(admin("bob")) for _ in range(MOST_OF_ONE + 1)]
        await until(lambda: here.inside == MOST)
        with pytest.raises(TooManyReaders):
            await here.come(admin("ada"))
        here.go.set()
        await asyncio.gather(*tasks)


async def test_that_who_goes_keeps_the_place_until_its_thread_has_ended() -> None:
    """Else coming and going would make a thread each time."""
    async with library(patience_s=0.01) as here:
        tasks = [here.come(admin("ada")) for _ in range(MOST_OF_ONE)]
        await until(lambda: here.inside == MOST_OF_ONE)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        with pytest.raises(TooManyReaders):
            await here.come(admin("ada"))
        here.go.set()
        await until(lambda: here.inside == 0)
        assert await here.come(admin("ada")) == 7


async def test_that_who_stops_waiting_leaves_the_queue() -> None:
    """Its place goes to the next in it."""
    async with library() as here:
        first = [here.come(admin("ada")) for _ in range(MOST_OF_ONE)]
        await until(lambda: here.inside == MOST_OF_ONE)
        gone, stays = here.come(admin("ada")), here.come(admin("ada"))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait({gone})
        here.go.set()
        assert await asyncio.gather(*first, stays) == [7] * (MOST_OF_ONE + 1)
        again = [here.come(admin("ada")) for _ in range(MOST_OF_ONE)]
        assert await asyncio.gather(*again) == [7] * MOST_OF_ONE


async def test_that_a_failure_is_told_and_gives_the_place_back() -> None:
    """As often as it fails."""
    readers = LedgerReaders(0.01)

    def fail() -> None:
        raise ValueError("damaged")

    for _ in range(2 * MOST):
        with pytest.raises(ValueError, match="damaged"):
            await readers.read(admin("ada"), fail)
        with pytest.raises(ValueError, match="damaged"):
            await readers.stream(admin("ada"), lambda _: fail(), form="csv", name="x")


async def test_that_a_stream_has_a_place_until_it_ends() -> None:
    """While it is sent, and not longer: the end of its reader is the end of its thread."""
    readers = LedgerReaders(0.01)

    def write(target: IO[bytes]) -> None:
        while True:
            target.write(b"x" * PART_BYTES)

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        if message.get("body"):
            raise ConnectionResetError

    answers = [await readers.stream(admin("ada"), write, form="csv", name="x") for _ in range(2)]
    with pytest.raises(TooManyReaders):
        await readers.stream(admin("ada"), write, form="csv", name="x")
    for answer in answers:
        with pytest.raises(ClientDisconnect):
            await answer({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send)
    last = await readers.stream(admin("ada"), lambda _: None, form="csv", name="x")
    assert last.status_code == 200


class SlowLedger(FakeUsageReader):
    """One that is read until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.inside = 0

    def rows(self, query: UsageQuery, after: int = 0) -> Iterator[tuple[int, LedgerRow]]:
        self.inside += 1
        self.go.wait(60)
        yield from super().rows(query, after)


RECONCILED = {"series": [{"deployment": "ptu", "measure": "prompt", "starts": 0, "tokens": [1]}]}
SIMULATED = {"tenant": "search", "limits": [{"name": "rpm", "amount": 5}]}
READS = [
    ("GET", "audit", None),
    ("GET", "audit/verify", None),
    ("GET", "usage", None),
    ("GET", "usage?format=csv", None),
    ("GET", "ledger", None),
    ("GET", "ledger?format=csv", None),
    ("GET", "usage/statement", None),
    ("POST", "usage/reconciliation", RECONCILED),
    ("POST", "limits/simulate", SIMULATED),
]


@pytest.mark.parametrize(("method", "path", "body"), READS)
async def test_that_every_route_that_reads_the_ledger_is_bounded(
    monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: Any
) -> None:
    """429 in the API's shape once the caller has two readers; what reads nothing is answered."""
    monkeypatch.setattr(ledger_readers.LedgerReaders.__init__, "__defaults__", (0.01,))
    house, ledger = AdminHouse(), SlowLedger()
    house.ledger = ledger
    async with house.client(ADMIN_KEYS[Role.OPERATOR]) as client:
        begun: list[asyncio.Task[httpx2.Response]] = [
            asyncio.create_task(client.get("ledger")) for _ in range(MOST_OF_ONE)
        ]
        await until(lambda: ledger.inside == MOST_OF_ONE)
        refused = await client.request(method, path, json=body)
        error = refused.json()["error"]
        assert (refused.status_code, error["code"]) == (429, "too_many_ledger_reads")
        assert refused.headers["retry-after"] == "1"
        assert (await client.get("tenants")).status_code == 200
        ledger.go.set()
        assert [each.status_code for each in await asyncio.gather(*begun)] == [200] * MOST_OF_ONE
        served = await client.request(method, path, json=body)
        assert served.status_code == 200
