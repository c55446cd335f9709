"""Leases on a real server: held as a whole, settled part by part, and given back.

The numbers that most stories share: a lease of 10 requests, 1000 tokens and 1000 nano-dollars, and
parts of one request, 100 tokens and 100 nano-dollars each.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import permutations
from pathlib import Path
from typing import Final

import pytest

from app.adapters.accounts.lease import Lease
from app.adapters.accounts.leases import Leases, Try
from app.adapters.accounts.spool import Spool, leftovers
from app.adapters.background import background
from app.adapters.redis.account import AccountScript, Settlement, account_key
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries
from app.domain.quota.lease import LEASE_S, PERIOD_S
from app.domain.quota.limit import Limit, LimitName
from app.domain.quota.reservation import Amounts, Ask, Charge, Part, Refusal, Reservation
from app.errors import StoreUnavailable
from tests.fakes.changed import replace
from tests.fakes.clock import FakeClock
from tests.integration.redis.tenant_account import Account, limit, opened
from tests.properties.first_version import FirstVersion

RATES: Final = (limit(LimitName.RPM, 100), limit(LimitName.TPM, 10_000))
DAY: Final = limit(LimitName.TOKENS_PER_DAY, 1_000_000)
#: What leases and their parts count in.
COUNTED: Final = (LimitName.RPM, LimitName.TPM, LimitName.TOKENS_PER_DAY, LimitName.CONCURRENCY)
NOTHING: Final = Charge(Amounts(), b"")


class Worker:
    """One that has leases of an account: what it asks for, grants, and settles."""

    def __init__(self, account: Account) -> None:
        self.account = account

    def asks(self, *limits: Limit, requests: int = 10, tokens: int = 1000, name: str = "") -> Ask:
        """A lease as it is asked for."""
        ask = self.account.ask(*(limits or (*RATES, DAY)), name=name)
        draft = b'{"kind":"released","flags":["lease:%d"]}' % requests
        amounts = Amounts(requests, tokens, tokens)
        return replace(ask, amounts=amounts, aside=True, draft=draft)

    async def leases(self, script: AccountScript | None = None, *, name: str = "") -> Lease:
        """One that is granted."""
        granted = await (script or self.account.script).reserve(self.asks(name=name))
        assert isinstance(granted, Reservation)
        return Lease(granted, float("inf"))

    def grants(self, lease: Lease, id_: str = "") -> Reservation:
        """A part of it."""
        limits = lease.whole.ask.limits
        ask = self.account.ask(*limits, tokens=100, nano_usd=100, name=id_)
        part = lease.part(ask)
        assert part is not None
        return part

    async def settles(self, *parts: tuple[Reservation, int]) -> list[str]:
        """Some that have used so many tokens, in one call."""
        settlements = [
            Settlement(part, Charge(Amounts(1, tokens, tokens), part.ask.id.encode()))
            for part, tokens in parts
        ]
        return await self.account.script.settle(self.account.tenant, settlements)

    async def gives_back(self, lease: Lease) -> str:
        """What nobody used of it."""
        unused = lease.close()
        assert unused is not None
        [outcome] = await self.account.script.settle(
            self.account.tenant, [Settlement(unused, NOTHING)]
        )
        return outcome

    async def used(self) -> tuple[int, ...]:
        """How much is used or held of what is `COUNTED`."""
        return tuple([await self.account.used(name) for name in COUNTED])

    async def remembered(self) -> set[str]:
        """What is kept of holds and leases, by the name of its key."""
        names = {key.decode().rpartition("}:")[2] for key in await self.account.keys()}
        return {name for name in names if name.startswith(("holds", "expir", "leased"))}


@pytest.fixture
def worker(account: Account) -> Worker:
    return Worker(account)


async def test_a_lease_from_its_beginning_to_its_end(worker: Worker) -> None:
    """What is not used of a part is room again, and so are requests that nobody made."""
    lease = await worker.leases()
    assert await worker.used() == (10, 1000, 1000, 0)
    less, more = worker.grants(lease, "less"), worker.grants(lease, "more")
    assert await worker.settles((less, 60)) == ["settled"]
    assert await worker.used() == (10, 960, 960, 0)
    assert await worker.settles((more, 130)) == ["settled"]
    assert await worker.used() == (10, 990, 990, 0)
    assert await worker.gives_back(lease) == "settled"
    assert await worker.used() == (2, 190, 190, 0)
    assert await worker.remembered() == set()
    assert await worker.account.rows() == [(b"less", b""), (b"more", b"")]


async def test_what_runs_is_held_when_the_rest_was_given_back(worker: Worker) -> None:
    """A lease is over long before the last of its requests is."""
    lease = await worker.leases()
    running = worker.grants(lease)
    await worker.gives_back(lease)
    assert await worker.used() == (1, 100, 100, 0)
    assert await worker.settles((running, 30)) == ["settled"]
    assert await worker.used() == (1, 30, 30, 0)
    assert await worker.remembered() == set()


async def test_all_workers_together_lease_no_more_than_there_is(worker: Worker) -> None:
    """Of 4,500 tokens forty ask for 1,000 each: four get them, and the rest is left."""
    small = limit(LimitName.TOKENS_PER_DAY, 4_500)
    asks = [worker.asks(small) for _ in range(40)]
    answers = await asyncio.gather(*map(worker.account.script.reserve, asks))
    assert sum(isinstance(each, Reservation) for each in answers) == 4
    assert isinstance(await worker.account.script.reserve(worker.asks(small, tokens=501)), Refusal)
    assert isinstance(
        await worker.account.script.reserve(worker.asks(small, tokens=500)), Reservation
    )


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_a_part_is_charged_once(worker: Worker, order: tuple[int, ...]) -> None:
    """Whichever comes first, and however often: in its call, in another, and when all is over."""
    lease = await worker.leases()
    parts = [(worker.grants(lease, f"p{number}"), 10 + number) for number in range(3)]
    first, second, third = (parts[place] for place in order)
    assert await worker.settles(first, first) == ["settled", "duplicate"]
    await worker.gives_back(lease)
    assert await worker.settles(second, first) == ["settled", "duplicate"]
    assert await worker.settles(second, third, third) == ["duplicate", "settled", "duplicate"]
    assert await worker.settles(third, second, first) == ["duplicate"] * 3
    assert await worker.used() == (3, 33, 33, 0)
    assert await worker.remembered() == set()


async def test_the_rest_is_given_back_once(worker: Worker) -> None:
    """Though nobody heard that it was, while a part of it still runs."""
    lease = await worker.leases()
    worker.grants(lease)
    unused = lease.close()
    assert unused is not None
    twice = [Settlement(unused, NOTHING)] * 2
    script, tenant = worker.account.script, worker.account.tenant
    assert await script.settle(tenant, twice) == ["settled", "duplicate"]
    assert await script.settle(tenant, twice) == ["duplicate", "duplicate"]
    assert await worker.used() == (1, 100, 100, 0)


async def test_parts_are_settled_beside_others(worker: Worker) -> None:
    """Of two leases, and of holds of their own, in one call."""
    one, other = await worker.leases(), await worker.leases()
    alone = await worker.account.take(*RATES, DAY, tokens=500)
    settled = [(worker.grants(one), 1), (alone, 20), (worker.grants(other), 300)]
    assert await worker.settles(*settled) == ["settled"] * 3
    assert await worker.used() == (21, 1800 + 321, 1800 + 321, 0)
    assert await worker.gives_back(one) == await worker.gives_back(other) == "settled"
    assert await worker.used() == (3, 321, 321, 0)
    assert await worker.remembered() == set()


async def test_what_was_spilled_of_a_lease_is_charged_as_that(worker: Worker) -> None:
    """A lease is held in no spill budget; one that is set later knows what left its tier."""
    lease = await worker.leases()
    charge = Charge(Amounts(1, 60, 60), b"{}", spilled=True)
    settled = [Settlement(worker.grants(lease), charge)]
    script, tenant = worker.account.script, worker.account.tenant
    assert await script.settle(tenant, settled) == ["settled"]
    today, month = lease.whole.day, lease.whole.month
    spilled = [replace(DAY, scope="spill"), DAY]
    assert (await script.read(tenant, spilled, [today], [month]))[1] == (60, 960)


async def test_a_part_that_cannot_be_one_changes_nothing(worker: Worker) -> None:
    """Its lease is held as before, and ends as any hold."""
    lease = await worker.leases()
    part = replace(worker.grants(lease), part=Part(lease.whole.ask.id, -1))
    before = await worker.account.keys()
    with pytest.raises(StoreUnavailable):
        await worker.settles((part, 10))
    assert await worker.account.keys() == before


@asynccontextmanager
async def expired(worker: Worker) -> AsyncIterator[tuple[Lease, Reservation]]:
    """A lease that nobody extended, and a part of it that runs on."""
    lease = await worker.leases(worker.account.brief, name="lease")
    settled, running = worker.grants(lease), worker.grants(lease, "running")
    await worker.settles((settled, 60))
    async with asyncio.timeout(20):
        while await worker.account.used(LimitName.TOKENS_PER_DAY) != 60:
            await asyncio.sleep(0.005)
    yield lease, running


async def test_a_killed_worker_leaves_its_lease_to_expire(worker: Worker) -> None:
    """What it had settled stays; of the rest nothing is held, and one row says that it was lost."""
    async with expired(worker):
        assert [mark for _, mark in await worker.account.rows()] == [b"", b"expired"]
        row, _ = (await worker.account.rows())[1]
        assert row == b'{"kind":"released","flags":["lease:10"]}'
        assert await worker.remembered() == {"expired:lease", "leased:lease"}


async def test_a_part_of_a_lease_that_expired_is_charged_late(worker: Worker) -> None:
    """Once, and nothing is held for it; the rest is given back to the minute."""
    async with expired(worker) as (lease, running):
        assert await worker.settles((running, 70), (running, 70)) == ["late", "duplicate"]
        assert await worker.used() == (10, 930, 130, 0)
        assert await worker.gives_back(lease) == "late"
        assert await worker.used() == (2, 130, 130, 0)
        assert await worker.settles((running, 70)) == ["duplicate"]
        assert [mark for _, mark in await worker.account.rows()] == [b"", b"expired", b"late"]
        assert await worker.remembered() == set()


async def test_a_lease_is_kept_for_what_runs(worker: Worker) -> None:
    """As any hold is; and of one that is settled nobody hears that it is alive."""
    lease = await worker.leases(name="lease")
    running = worker.grants(lease, "part")
    await worker.gives_back(lease)
    script, tenant = worker.account.script, worker.account.tenant
    assert await script.extend(tenant, ["lease", "part"]) == {"lease"}
    await worker.settles((running, 1))
    assert await script.extend(tenant, ["lease", "part"]) == frozenset()


async def test_a_lease_that_was_lost_is_settled_in_what_is_there_now(worker: Worker) -> None:
    """After a flush each part is adopted, once, and nothing is given back that is not held."""
    lease = await worker.leases()
    parts = [(worker.grants(lease), 10), (worker.grants(lease), 20)]
    for key in await worker.account.keys():
        await worker.account.client.delete(key)
    await worker.account.script.seed(worker.account.tenant, [], generation="g2")
    assert await worker.settles(*parts, parts[0]) == ["adopted", "adopted", "duplicate"]
    assert await worker.gives_back(lease) == "adopted"
    assert await worker.settles(*parts) == ["duplicate"] * 2
    assert await worker.used() == (0, 0, 30, 0)
    assert [mark for _, mark in await worker.account.rows()] == [b"adopted"] * 2


async def test_a_new_generation_does_not_forget_what_was_settled(worker: Worker) -> None:
    """The lease is held on: its parts are settled as before, and none again."""
    lease = await worker.leases()
    before, after = (worker.grants(lease), 10), (worker.grants(lease), 20)
    await worker.settles(before)
    script, tenant = worker.account.script, worker.account.tenant
    await script.end(tenant)
    await script.seed(tenant, [], generation="g2")
    assert await worker.settles(before, after, after) == ["duplicate", "settled", "duplicate"]
    assert await worker.gives_back(lease) == "settled"
    assert await worker.used() == (2, 30, 30, 0)


async def test_a_server_without_memory_settles_parts(tmp_path: Path) -> None:
    """Of a lease that is held, and of one that expired."""
    binaries = replace(installed_binaries(), search=None)
    async with embedded_redis(tmp_path, binaries=binaries) as server, opened(server.url) as account:
        worker = Worker(account)
        async with expired(worker) as (_, late):
            lease = await worker.leases()
            parts = [(worker.grants(lease), 10), (worker.grants(lease), 20)]
            await account.client.config_set("maxmemory", 1)
            assert await worker.settles((late, 40)) == ["late"]
            assert await worker.settles(*parts) == ["settled", "settled"]
            assert await worker.gives_back(lease) == "settled"
            await account.client.config_set("maxmemory", 0)
            assert await account.used(LimitName.TOKENS_PER_DAY) == 60 + 40 + 30


async def test_a_part_that_waited_on_the_disk_is_settled(worker: Worker, tmp_path: Path) -> None:
    """There no limits are known: requests that nobody made go on counting, tokens do not."""
    lease = await worker.leases()
    part = Settlement(worker.grants(lease), Charge(Amounts(1, 60, 60), b'{"id":"part"}'))
    unused = lease.close()
    assert unused is not None
    spool, tenant = Spool(tmp_path, "killed"), worker.account.tenant
    spool.append([(tenant, part), (tenant, Settlement(unused, NOTHING))], time.time())
    os.close(spool._file)  # noqa: SLF001  # as a killed process does
    spooled = [line.settlement for each in leftovers(tmp_path) for line in each.lines()]
    script = worker.account.script
    assert await script.settle(tenant, spooled) == ["settled", "settled"]
    assert await script.settle(tenant, [part]) == ["duplicate"]
    assert await worker.used() == (10, 60, 60, 0)
    assert await worker.remembered() == set()
    assert await worker.account.rows() == [(b'{"id":"part"}', b"")]


async def test_an_older_worker_sees_what_is_left_of_a_lease(worker: Worker) -> None:
    """It extends it, grants beside it, and lets it end when nobody extends it any more."""
    account = worker.account
    older, tenant = FirstVersion(account.batch), account.tenant
    lease = await worker.leases(name="lease")
    await worker.settles((worker.grants(lease), 60))
    running = worker.grants(lease)
    assert await older.extend(tenant, ["lease"]) == {"lease"}
    tight = limit(LimitName.TOKENS_PER_DAY, 1_000)
    assert isinstance(await older.reserve(account.ask(tight, tokens=41)), Refusal)
    assert isinstance(await older.reserve(account.ask(tight, tokens=40)), Reservation)
    await account.client.zadd(f"{account_key(tenant)}:expiry", {"lease": 1})
    assert isinstance(await older.reserve(account.ask(tight, tokens=901)), Refusal)
    assert isinstance(await older.reserve(account.ask(tight, tokens=900)), Reservation)
    assert await worker.settles((running, 7)) == ["late"]
    assert await account.used(LimitName.TOKENS_PER_DAY) == 60 + 40 + 900 + 7


class Hot:
    """A worker's leases by a clock of the test's, for a key and model that is asked for often."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.clock = FakeClock()
        self.granting = asyncio.Event()  # what the account granted is heard of
        self.granting.set()
        self.granted = asyncio.Event()
        self.given_back: asyncio.Queue[Ask | Reservation] = asyncio.Queue()
        self.leases = Leases(self._reserve, self.given_back.put_nowait, self.clock, lambda: 1)
        self._ask = account.ask(limit(LimitName.RPM, 10_000))

    async def _reserve(self, ask: Ask) -> Reservation | Refusal:
        granted = await self.account.script.reserve(ask)
        self.granted.set()
        await self.granting.wait()
        return granted

    async def begin(self) -> None:
        """One is granted by the account; 30 are asked for, and a lease is wanted for as many."""
        alone = await self.account.script.reserve(self._ask)
        assert isinstance(alone, Reservation)
        assert self.parts(30) == []
        self.leases.note(alone)
        self.clock.advance(PERIOD_S)
        assert self.parts(1) == []

    def parts(self, count: int) -> list[Reservation]:
        """What is granted of leases, where so many are asked for."""
        now, ask = self.clock.now(), self._ask
        asked = [self.leases.part(replace(ask, id=f"{now}-{n}")) for n in range(count)]
        return [part for part in asked if part is not None]

    async def taken(self) -> None:
        """Wait until there is a lease, or none."""
        while not self.leases.tried_total:
            await asyncio.sleep(0.005)

    async def settle_unused(self) -> None:
        """What the worker gives back next."""
        unused, tenant = await self.given_back.get(), self.account.tenant
        assert isinstance(unused, Reservation)
        outcomes = await self.account.script.settle(tenant, [Settlement(unused, NOTHING)])
        assert outcomes == ["settled"]


@pytest.mark.parametrize("stops", [False, True], ids=["when it ends", "when its worker stops"])
async def test_a_worker_gives_back_what_nobody_used(account: Account, *, stops: bool) -> None:
    """Of 30 requests that were leased, 3 were made."""
    hot = Hot(account)
    async with background("accounts", hot.leases.keep_taking), asyncio.timeout(20):
        await hot.begin()
        await hot.taken()
        assert hot.leases.tried_total == {Try.TAKEN: 1}
        assert await account.used(LimitName.RPM) == 1 + 30
        assert len(hot.parts(3)) == 3
        if stops:
            hot.leases.close()
        else:
            hot.clock.advance(LEASE_S)
        await hot.settle_unused()
        assert await account.used(LimitName.RPM) == 1 + 3
        assert await account.used(LimitName.TOKENS_PER_DAY) == 10 * (1 + 3)


async def test_a_lease_that_comes_as_its_worker_stops_is_given_back(account: Account) -> None:
    """It was asked for before; and no other is asked for after."""
    hot = Hot(account)
    hot.granting.clear()
    async with background("accounts", hot.leases.keep_taking), asyncio.timeout(20):
        await hot.begin()
        await hot.granted.wait()
        hot.leases.close()
        hot.granting.set()
        await hot.taken()
        assert hot.parts(3) == []
        assert hot.given_back.qsize() == 1
        await hot.settle_unused()
        assert await account.used(LimitName.RPM) == 1
