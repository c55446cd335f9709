"""When a worker's tries to take leases end otherwise than by a lease that is granted from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import pytest
from msgspec.structs import replace

from app.adapters.accounts.lease import Demand, Lease
from app.adapters.accounts.leases import Leases
from app.adapters.background import Background, background
from app.domain.quota.calendar import days_around, months_around
from app.domain.quota.lease import MANY, MOST, PERIOD_S
from app.domain.quota.limit import LimitName, LimitRule, limit_of
from app.domain.quota.reservation import Amounts, Ask, Reservation
from tests.fakes.clock import FakeClock

LIMITS: Final = (limit_of(LimitRule(LimitName.RPM, 1_000_000), 0.0),)
SCOPES: Final = ("tenant",)
DAYS, MONTHS = days_around(0.0), months_around(0.0)
REQUEST: Final = Ask("r", "t", SCOPES, Amounts(1, 10, 10), LIMITS, DAYS, MONTHS)


@dataclass(slots=True)
class Worker:
    """One that is asked often; its account answers when it is told to."""

    clock: FakeClock = field(default_factory=FakeClock)
    asked: list[Ask] = field(default_factory=list)
    given_back: list[Ask | Reservation] = field(default_factory=list)
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    leases: Leases = field(init=False)

    def __post_init__(self) -> None:
        self.leases = Leases(self._reserve, self.given_back.append, self.clock, lambda: 1)

    def ask_often(self) -> None:
        """As often as one has to for a lease."""
        for _ in range(2):
            for _ in range(MANY):
                assert self.leases.part(REQUEST) is None
            self.clock.advance(PERIOD_S)

    async def _reserve(self, ask: Ask) -> Reservation:
        self.asked.append(ask)
        await self.answers.wait()
        return granted(ask)


def granted(ask: Ask) -> Reservation:
    """With nearly all of the limit left."""
    return Reservation(ask, "g1", DAYS[1], MONTHS[1], left=(900_000,))


@asynccontextmanager
async def taking(worker: Worker) -> AsyncIterator[Background]:
    """It takes leases."""
    async with background("accounts", worker.leases.keep_taking) as running:
        yield running


async def until_idle() -> None:
    """Let everybody who can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_was_only_refused_is_leased_nothing() -> None:
    """Nothing is known to be left; that is no trouble for those who take leases."""
    worker = Worker()
    async with taking(worker) as running:
        worker.ask_often()
        await until_idle()
        assert running.failures_total == 0
    assert worker.asked == []
    assert not worker.leases.tried_total


async def test_who_has_no_limits_is_leased_nothing_before_the_account_answered() -> None:
    """Until then the ask has no row yet, and a lease that nobody settles would have none either."""
    worker, early = Worker(), replace(REQUEST, limits=(), draft=b"{}")
    full = replace(early, draft=b"a row")
    async with taking(worker):
        for _ in range(2 * MANY):
            assert worker.leases.part(early) is None
        await until_idle()
        assert worker.asked == []
        worker.leases.note(replace(granted(full), left=()))
        assert worker.leases.part(replace(full, draft=b"{}")) is None
        await until_idle()
        assert [each.draft for each in worker.asked] == [b"a row"]


async def test_what_was_left_before_a_pause_is_no_reason_for_a_lease() -> None:
    """Others may have used it up meanwhile: the account is asked first."""
    worker = Worker()
    async with taking(worker):
        assert worker.leases.part(REQUEST) is None
        worker.leases.note(granted(REQUEST))
        worker.clock.advance(2 * PERIOD_S)
        for _ in range(2 * MANY):
            assert worker.leases.part(REQUEST) is None
        await until_idle()
        assert worker.asked == []
        worker.leases.note(granted(REQUEST))
        assert worker.leases.part(REQUEST) is None
        await until_idle()
        assert len(worker.asked) == 1


@pytest.mark.parametrize("is_answered", [True, False], ids=["answered", "unanswered"])
async def test_a_lease_that_is_on_its_way_at_the_end_is_given_back(*, is_answered: bool) -> None:
    """Whether its account answers before the worker is gone or not."""
    worker = Worker()
    async with taking(worker):
        assert worker.leases.part(REQUEST) is None
        worker.leases.note(granted(REQUEST))
        worker.ask_often()
        await until_idle()
        (lease,) = worker.asked
        worker.leases.close()
        assert worker.given_back == []
        if is_answered:
            worker.answers.set()
            await until_idle()
    (unused,) = worker.given_back
    given = unused if isinstance(unused, Ask) else unused.ask
    assert (given.id, given.amounts) == (lease.id, lease.amounts)
    assert list(worker.leases.held()) == []


async def test_keys_that_become_busy_at_once_share_what_may_be_leased() -> None:
    """No lease of theirs is there yet when each is taken; together they hold back what one may."""
    worker, left = Worker(), 400_000
    worker.answers.set()
    limits = (limit_of(LimitRule(LimitName.TPM, 1_000_000), 0.0),)
    each_of_many = [replace(REQUEST, scopes=(f"t {n}",), limits=limits) for n in range(20)]
    async with taking(worker):
        for ask in each_of_many:
            assert worker.leases.part(ask) is None
            worker.leases.note(replace(granted(ask), left=(left,)))
            for _ in range(100):
                assert worker.leases.part(ask) is None
        await until_idle()
    assert len(worker.asked) == len(each_of_many)
    assert sum(ask.amounts.tokens for ask in worker.asked) <= MOST * left


async def test_a_lease_that_two_others_followed_is_not_looked_at_again() -> None:
    """The second was half used when the third came: the first had no room for somebody."""
    demand = Demand(REQUEST, 0.0)
    demand.leases = [lease_for(requests) for requests in (4, 2, 1)]
    parts = [demand.part(REQUEST, 0.0) for _ in range(4)]
    assert [part is not None for part in parts] == [True, True, True, False]
    assert demand.wanted.requests == 4


def lease_for(requests: int) -> Lease:
    """Of so many."""
    whole = replace(REQUEST, amounts=Amounts(requests, 10 * requests, 10 * requests))
    return Lease(granted(whole), 1.0)
