"""What a worker takes ahead for those who ask often, and what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import pytest

from app.adapters.accounts.accounts import Options, SharedAccounts, Watch, shared_accounts
from app.adapters.accounts.leases import Try
from app.adapters.redis.account import Settlement, Unseeded
from app.adapters.redis.batch import NotSent
from app.domain.identity.tenant import LossPolicy, Tenant
from app.domain.ledger.ledger_row import LedgerRow, RowKind, decode, encode
from app.domain.quota.calendar import CalendarWindow, days_around, months_around
from app.domain.quota.lease import LEASE_S, MANY, PERIOD_S
from app.domain.quota.limit import Limit, LimitName, LimitRule, limit_of
from app.domain.quota.reservation import UNUSED, Amounts, Ask, Charge, Refusal, Reservation
from app.errors import QuotaUnavailable, StoreUnavailable
from tests.fakes.account_script import FakeScript, alone
from tests.fakes.changed import replace
from tests.fakes.clock import FakeClock

TPM = limit_of(LimitRule(LimitName.TPM, 1_000_000), 0.0)
#: What is left of it, as long as a story does not say otherwise.
LEFT = 900_000
EACH = Amounts(1, 10, 10)
#: Of a period: more than are leased for.
ASKED: Final = 100


class Account(FakeScript):
    """Grants everything; `held` is what was asked of it, and was not given back.

    `answer` makes something else of what it grants.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Ask] = []
        self.answer: Callable[[Reservation], Reservation | Refusal] = lambda granted: granted
        self.left = LEFT

    async def reserve(self, ask: Ask) -> Reservation | Refusal:
        """Grant it."""
        self.asked.append(ask)
        granted = await super().reserve(ask)
        assert isinstance(granted, Reservation)
        return self.answer(replace(granted, left=(self.left,) * len(ask.limits), at_ms=1))

    @property
    def leases(self) -> list[Ask]:
        return [ask for ask in self.asked if ask.aside]

    @property
    def unused(self) -> list[Reservation]:
        """What was given back of leases."""
        kept = [each.reservation for each in self.settled if each.reservation]
        return [each for each in kept if each.part and each.part.number == UNUSED]


@dataclass(slots=True)
class Worker:
    """One worker's accounts; its clock moves only between requests."""

    accounts: SharedAccounts
    account: Account
    clock: FakeClock
    granted: list[Reservation] = field(default_factory=list)
    limits: tuple[Limit, ...] = (TPM,)
    scopes: tuple[str, ...] = ("tenant",)
    count: int = 0

    def __post_init__(self) -> None:
        moment = self.clock.unix()
        self.days, self.months = days_around(moment), months_around(moment)

    days: tuple[CalendarWindow, ...] = field(init=False)
    months: tuple[CalendarWindow, ...] = field(init=False)

    def ask(self, amounts: Amounts = EACH) -> Ask:
        """One request of the key and model."""
        self.count += 1
        id_ = f"r{self.count}"
        draft = encode(
            LedgerRow(id_, RowKind.RELEASED, 0.0, "t", request_id=id_, key_id="k", model="m")
        )
        windows = (self.days, self.months)
        return Ask(id_, "t", self.scopes, amounts, self.limits, *windows, draft)

    async def take(self, amounts: Amounts = EACH) -> Reservation:
        ask = self.ask(amounts)
        if (part := self.accounts.leased(ask)) is not None:
            return part
        granted = await self.accounts.reserve(ask, Tenant("t"))
        assert isinstance(granted, Reservation)
        return granted

    async def burst(self, count: int = MANY) -> list[Reservation]:
        """So many within a period, and the beginning of the next."""
        taken = [await self.take() for _ in range(count)]
        self.clock.advance(PERIOD_S)
        return taken

    def come(self, count: int) -> None:
        """So many ask at once, for whom there is no lease."""
        assert not any(self.accounts.leased(self.ask()) for _ in range(count))

    async def warm(self) -> Reservation:
        """A lease there is, and the first part of it."""
        before = len(self.account.leases)
        await self.take()
        self.come(ASKED - 1)
        await until(lambda: len(self.account.leases) > before)
        await until(lambda: bool(self.accounts.leases.tried_total[Try.TAKEN]))
        part = await self.take()
        assert part.part is not None
        return part

    def settle(self, reservation: Reservation) -> None:
        row = encode(LedgerRow(reservation.ask.id, RowKind.SETTLED, 0.0, "t"))
        self.accounts.settle(reservation, Charge(Amounts(1, 7, 7), row))


async def until(condition: Callable[[], bool]) -> None:
    """Let others run until it holds."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def settled() -> None:
    """Let what is ready run, some turns of it."""
    for _ in range(10):
        await asyncio.sleep(0)


@asynccontextmanager
async def working(*, leases: bool = True, watch: Watch | None = None) -> AsyncIterator[Worker]:
    account, clock = Account(), FakeClock()
    options = Options(leases=leases, watch=watch or Watch())
    async with shared_accounts(account, alone(), clock, drain_s=1, options=options) as accounts:
        yield Worker(accounts, account, clock)


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    async with working() as one:
        yield one


async def test_who_asks_often_is_granted_from_what_was_taken_ahead(worker: Worker) -> None:
    """As much as was asked for in the last period; then nobody waits for the account."""
    await worker.warm()
    (lease,) = worker.account.leases
    assert lease.amounts == Amounts(100, 1000, 1000)
    before = len(worker.account.asked)
    parts = [await worker.take() for _ in range(20)]
    assert len(worker.account.asked) == before
    assert {each.part.lease for each in parts if each.part} == {lease.id}
    assert [each.part.number for each in parts if each.part] == list(range(2, 22))


async def test_who_asks_seldom_is_asked_for_one_by_one(worker: Worker) -> None:
    """A refusal is exact then."""
    for _ in range(8):
        await worker.burst(MANY - 1)
    assert not worker.account.leases


async def test_who_begins_to_ask_often_does_not_wait_for_a_period_to_end(worker: Worker) -> None:
    """The first few ask the account; for each lease that is used up there is a larger one."""
    await worker.take()
    worker.come(MANY - 2)
    await settled()
    assert not worker.account.leases
    worker.come(1)
    await until(lambda: worker.accounts.leases.tried_total[Try.TAKEN] == 1)
    assert all([(await worker.take()).part for _ in range(MANY)])
    await until(lambda: worker.accounts.leases.tried_total[Try.TAKEN] == 2)
    assert [each.amounts.requests for each in worker.account.leases] == [MANY, 2 * MANY]


async def test_a_burst_before_a_pause_is_not_a_habit(worker: Worker) -> None:
    """What was asked for long ago says nothing about now."""
    await worker.warm()
    worker.clock.advance(LEASE_S + 2 * PERIOD_S)
    await worker.burst(MANY - 1)
    await worker.take()
    await settled()
    assert len(worker.account.leases) == 1


async def test_what_leases_granted_counts_as_asked_for(worker: Worker) -> None:
    """Once, and in the period it was granted in: the next lease is as large as what comes."""
    await worker.warm()
    (demand,) = worker.accounts.leases._demands.values()  # noqa: SLF001  # what the next one takes
    assert demand.wanted == Amounts(101, 1010, 1010)
    worker.clock.advance(PERIOD_S)
    for _ in range(40):
        await worker.take()
    assert demand.wanted == Amounts(101, 1010, 1010)
    worker.clock.advance(PERIOD_S)
    await worker.take()
    assert demand.wanted == Amounts(40, 400, 400)
    worker.clock.advance(PERIOD_S)
    await worker.take()
    assert demand.wanted == Amounts(1, 10, 10)


async def test_what_is_left_counts_what_nobody_has_of_the_lease(worker: Worker) -> None:
    """As if each had asked for itself."""
    first = await worker.warm()
    second = await worker.take()
    whole = worker.account.leases[0].amounts.tokens
    assert first.left == (LEFT + whole - EACH.tokens,)
    assert second.left == (LEFT + whole - 2 * EACH.tokens,)


async def test_who_asks_for_more_than_a_lease_has_asks_the_account(worker: Worker) -> None:
    """And those after him go on from the lease."""
    await worker.warm()
    large = await worker.take(Amounts(1, 5000, 10))
    assert large.part is None
    assert (await worker.take()).part is not None


async def test_the_next_lease_is_taken_before_the_first_is_used_up(worker: Worker) -> None:
    """Nobody waits in between."""
    await worker.warm()
    while len(worker.account.leases) == 1:
        granted = await worker.take()
        assert granted.part is not None
        await asyncio.sleep(0)


async def test_what_nobody_used_is_given_back_when_the_lease_ends(worker: Worker) -> None:
    """Requests, tokens and money, without a row."""
    first = await worker.warm()
    worker.clock.advance(LEASE_S)
    await until(lambda: bool(worker.account.unused))
    (back,) = worker.account.unused
    assert back.ask.amounts == Amounts(99, 990, 990)
    assert back.part is not None
    assert first.part is not None
    assert back.part.lease == first.part.lease
    assert [each.charge for each in worker.account.settled] == [Charge(Amounts(), b"")]


async def test_nothing_is_granted_of_a_lease_that_ended(worker: Worker) -> None:
    """Even before it was given back: its worker may have been stopped for an hour."""
    await worker.warm()
    worker.clock.advance(LEASE_S)
    assert (await worker.take()).part is None


async def test_a_lease_is_kept_alive_until_its_last_part_is_settled(worker: Worker) -> None:
    """A stream may run for long."""
    first = await worker.warm()
    assert first.part is not None
    worker.clock.advance(LEASE_S)
    await until(lambda: bool(worker.account.unused))
    assert list(worker.accounts.leases.held()) == [("t", first.part.lease)]
    worker.settle(first)
    assert not list(worker.accounts.leases.held())


async def test_a_part_is_settled_as_any_request(worker: Worker) -> None:
    """With its own row."""
    first = await worker.warm()
    worker.settle(first)
    assert await worker.accounts.settled(5)
    (settled,) = [each for each in worker.account.settled if each.charge.row]
    assert settled == Settlement(first, settled.charge)
    assert decode(settled.charge.row).id == first.ask.id


async def test_leases_are_given_back_at_the_end() -> None:
    """What a worker that ends has not used."""
    async with working() as worker:
        await worker.warm()
    assert [each.ask.amounts for each in worker.account.unused] == [Amounts(99, 990, 990)]


async def test_one_that_is_granted_while_its_worker_ends_is_given_back() -> None:
    """It was on its way."""
    async with working() as worker:
        asked = asyncio.Event()
        worker.account.reserving = lambda ask: asked.set() if ask.aside else None
        await worker.take()
        worker.come(ASKED - 1)
        worker.accounts.leases.close()
        await asked.wait()
    assert [each.ask.amounts.requests for each in worker.account.unused] == [100]


async def test_little_left_is_left_to_those_who_ask(worker: Worker) -> None:
    """Nothing is held back that another worker may need."""
    worker.account.left = 40_000
    await worker.burst(ASKED)
    await worker.take()
    await until(lambda: bool(worker.accounts.leases.tried_total))
    assert worker.accounts.leases.tried_total == {Try.STRICT: 1}
    assert not worker.account.leases


async def test_a_lease_that_leaves_little_is_given_back(worker: Worker) -> None:
    """Others took much since this worker asked last."""
    worker.account.answer = lambda granted: (
        replace(granted, left=(40_000,)) if granted.ask.aside else granted
    )
    await worker.burst(ASKED)
    await worker.take()
    await until(lambda: bool(worker.account.unused))
    assert (await worker.take()).part is None


async def test_a_lease_that_goes_over_a_soft_limit_is_given_back(worker: Worker) -> None:
    """Each request is to be flagged by itself."""
    worker.account.answer = lambda granted: (
        replace(granted, over=(0,)) if granted.ask.aside else granted
    )
    await worker.take()
    worker.come(ASKED - 1)
    await until(lambda: bool(worker.account.unused))
    assert (await worker.take()).part is None
    assert [each.ask.amounts.requests for each in worker.account.unused] == [100]
    assert (await worker.take()).part is None


async def test_a_refused_lease_is_not_asked_for_again_at_once(worker: Worker) -> None:
    """Requests are asked for as ever."""
    worker.account.answer = lambda granted: (
        Refusal(TPM, 1, 1, 1.0) if granted.ask.aside else granted
    )
    await worker.burst(ASKED)
    await worker.take()
    await until(lambda: bool(worker.accounts.leases.tried_total[Try.REFUSED]))
    await worker.burst(ASKED)
    assert (await worker.take()).part is None
    assert len(worker.account.leases) == 1


async def test_a_lease_whose_answer_is_lost_is_given_back(worker: Worker) -> None:
    """It may have been granted."""

    def lose(ask: Ask) -> None:
        if ask.aside:
            raise StoreUnavailable("the answer is lost")

    worker.account.reserving = lose
    await worker.burst(ASKED)
    await worker.take()
    await until(lambda: bool(worker.account.settled))
    (back,) = worker.account.settled
    (lease,) = worker.account.leases
    assert back.reservation is not None
    assert (back.reservation.ask, back.reservation.generation) == (lease, "")
    assert back.charge == Charge(Amounts(), b"")


@pytest.mark.parametrize("error", [NotSent("down"), Unseeded()])
async def test_one_that_was_not_taken_is_not_given_back(worker: Worker, error: Exception) -> None:
    """There is nothing to give back."""

    def fail(ask: Ask) -> None:
        if ask.aside:
            raise error

    worker.account.reserving = fail
    await worker.burst(ASKED)
    await worker.take()
    await until(lambda: bool(worker.accounts.leases.tried_total[Try.LOST]))
    assert await worker.accounts.settled(5)
    assert not worker.account.settled


async def test_a_lease_is_granted_from_while_the_account_is_away(worker: Worker) -> None:
    """It was taken; after it the tenant's policy decides."""
    await worker.warm()

    def away(_ask: Ask) -> None:
        raise NotSent("down")

    worker.account.reserving = away
    assert (await worker.take()).part is not None
    worker.clock.advance(LEASE_S)
    with pytest.raises(QuotaUnavailable):
        await worker.accounts.reserve(worker.ask(), Tenant("t", redis_loss=LossPolicy.FAIL_CLOSED))


async def test_another_limit_is_another_lease(worker: Worker) -> None:
    """One that was lowered is not passed by what was taken before."""
    await worker.warm()
    worker.limits = (limit_of(LimitRule(LimitName.TPM, 50_000), 0.0),)
    assert (await worker.take()).part is None


async def test_whoever_watches_is_told_of_parts() -> None:
    """Alerts and metrics do not know of leases."""
    told: list[Reservation] = []
    async with working(watch=Watch(granted=told.append)) as worker:
        first = await worker.warm()
    assert told[-1] == first
    assert all(not each.ask.aside for each in told)


async def test_of_a_lease_it_is_said_who_is_told_of_its_parts() -> None:
    """Where much is left of budgets, alerts need not know of each part."""
    told: list[Reservation] = []
    leases: list[Reservation] = []

    def parts(lease: Reservation) -> Callable[[Reservation], None]:
        leases.append(lease)
        return told.append

    async with working(watch=Watch(parts=parts)) as worker:
        first = await worker.warm()
    assert told == [first]
    assert [each.ask for each in leases] == worker.account.leases


async def test_there_need_be_none() -> None:
    """Where that is configured each request is asked for by itself."""
    async with working(leases=False) as worker:
        for _ in range(3):
            await worker.burst(ASKED)
        assert not worker.account.leases


async def test_the_row_of_a_lease_that_nobody_settles_says_whose_it_was(worker: Worker) -> None:
    """And for how many: their own rows are lost with the worker."""
    await worker.warm()
    row = decode(worker.account.leases[0].draft)
    assert (row.tenant, row.key_id, row.model) == ("t", "k", "m")
    assert (row.flags, row.reserved_tokens, row.request_id) == (("lease:100",), 1000, "")
