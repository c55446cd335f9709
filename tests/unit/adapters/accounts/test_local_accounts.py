"""Accounts of one worker: the same limits, a share of them, and nothing shared."""

from __future__ import annotations

import pytest

from app.adapters.accounts.local_accounts import LocalAccounts
from app.domain.quota.calendar import days_around, months_around
from app.domain.quota.limit import (
    Limit,
    LimitName,
    LimitRule,
    Mode,
    limit_of,
    scopes_of,
    spill_limits,
)
from app.domain.quota.reservation import Amounts, Ask, Refusal, Reservation
from tests.fakes.changed import replace
from tests.fakes.clock import FakeClock


class Worker:
    """One worker's accounts, and a tenant that asks."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.accounts = LocalAccounts(self.clock)
        self.asked = 0

    def ask(self, *limits: Limit, tokens: int = 10, tenant: str = "t") -> Ask:
        """A request that meets these limits."""
        self.asked += 1
        now = self.clock.unix()
        amounts = Amounts(1, tokens, tokens)
        days, months = days_around(now), months_around(now)
        return Ask(str(self.asked), tenant, scopes_of("k", "m"), amounts, limits, days, months)

    def reserve(
        self, *limits: Limit, tokens: int = 10, share: float | None = 1.0, tenant: str = "t"
    ) -> Reservation | Refusal:
        """Ask for it."""
        ask = self.ask(*limits, tokens=tokens, tenant=tenant)
        return self.accounts.reserve(ask, share, "local_share")

    def take(self, *limits: Limit, tokens: int = 10, share: float | None = 1.0) -> Reservation:
        """Ask for it, and get it."""
        granted = self.reserve(*limits, tokens=tokens, share=share)
        assert isinstance(granted, Reservation)
        return granted

    def admitted(self, *limits: Limit, of: int = 50, share: float | None = 1.0) -> int:
        """How many of so many requests are granted."""
        granted = (self.reserve(*limits, share=share) for _ in range(of))
        return sum(isinstance(each, Reservation) for each in granted)


@pytest.fixture
def worker() -> Worker:
    return Worker()


def limit(name: LimitName, amount: float, mode: Mode = Mode.HARD) -> Limit:
    """A limit of the whole tenant."""
    return limit_of(LimitRule(name, amount, mode), 0.0)


@pytest.mark.parametrize(
    ("name", "amount"),
    [
        (LimitName.RPM, 8),
        (LimitName.TPM, 80),
        (LimitName.CONCURRENCY, 8),
        (LimitName.REQUESTS_PER_DAY, 8),
        (LimitName.TOKENS_PER_MONTH, 80),
        (LimitName.USD_PER_DAY, 80e-9),
    ],
)
def test_a_share_of_each_limit_is_granted(worker: Worker, name: LimitName, amount: float) -> None:
    """The whole of it to one worker, a quarter of it to one of several, all where unchecked."""
    assert worker.admitted(limit(name, amount)) == 8
    assert Worker().admitted(limit(name, amount), share=0.25) == 2
    assert Worker().admitted(limit(name, amount), share=None) == 50


def test_a_spill_budget_is_shared_like_the_others(worker: Worker) -> None:
    """Half of it here: who finds no room is admitted and stays; who stayed used none of it."""
    budget = spill_limits(100e-9)

    def take() -> Reservation:
        granted = worker.accounts.reserve(worker.ask().within(budget), 0.5, "local_share")
        assert isinstance(granted, Reservation)
        return granted

    crowd = [take() for _ in range(8)]
    assert [each.may_spill for each in crowd] == [True] * 5 + [False] * 3
    for number, each in enumerate(crowd):
        worker.accounts.settle(each, Amounts(1, 10, 10), spilled=number == 0)
    assert [take().may_spill for _ in range(6)] == [True] * 4 + [False] * 2


def test_a_spill_budget_of_the_hour_is_new_with_the_hour(worker: Worker) -> None:
    """The day's goes on: what was spilled in the hour before counts in it."""
    budgets = spill_limits(60e-9, 40e-9)

    def take() -> Reservation:
        granted = worker.accounts.reserve(worker.ask().within(budgets), 0.5, "local_share")
        assert isinstance(granted, Reservation)
        worker.accounts.settle(granted, Amounts(1, 10, 10), spilled=granted.may_spill)
        return granted

    assert [take().flags for _ in range(3)] == [
        ("degraded",),
        ("degraded",),
        ("spill:usd_per_hour", "degraded"),
    ]
    worker.clock.advance(3600)
    assert [take().flags for _ in range(2)] == [("degraded",), ("spill:usd_per_day", "degraded")]


def test_unchecked_everybody_may_spill(worker: Worker) -> None:
    """Where the policy is to grant everything."""
    granted = worker.accounts.reserve(worker.ask().within(spill_limits(0)), None, "fail_open")
    assert isinstance(granted, Reservation)
    assert granted.may_spill


def test_what_is_settled_is_room_again(worker: Worker) -> None:
    """Twice is once."""
    day = limit(LimitName.TOKENS_PER_DAY, 20)
    first = worker.take(day)
    worker.take(day)
    worker.accounts.settle(first, Amounts(1, 3, 3))
    worker.accounts.settle(first, Amounts(1, 3, 3))
    refusal = worker.reserve(day)
    assert isinstance(refusal, Refusal)
    assert (refusal.used, refusal.limit) == (13, day)
    assert worker.accounts.granted == 1


def test_a_window_slides(worker: Worker) -> None:
    """Room comes back when the given wait is over."""
    minute = limit(LimitName.RPM, 1)
    worker.take(minute)
    worker.clock.advance(20)
    refusal = worker.reserve(minute)
    assert isinstance(refusal, Refusal)
    assert refusal.wait_s == pytest.approx(40)
    worker.clock.advance(40)
    worker.take(minute)


def test_waiting_is_told_by_the_limit(worker: Worker) -> None:
    """Never for what cannot fit, to the day's end for a budget, a moment for a running request."""
    never = worker.reserve(limit(LimitName.TPM, 5))
    assert isinstance(never, Refusal)
    assert never.wait_s is None
    worker.take()
    running = worker.reserve(limit(LimitName.CONCURRENCY, 1))
    assert isinstance(running, Refusal)
    assert running.wait_s == 1.0
    today = worker.reserve(limit(LimitName.REQUESTS_PER_DAY, 1))
    assert isinstance(today, Refusal)
    assert today.wait_s is not None
    assert 0 < today.wait_s <= 86_400


def test_another_day_is_another_budget(worker: Worker) -> None:
    """And the ended one is forgotten."""
    day = limit(LimitName.REQUESTS_PER_DAY, 1)
    worker.take(day)
    assert isinstance(worker.reserve(day), Refusal)
    worker.clock.advance(86_400)
    worker.take(day)


def test_tenants_and_scopes_are_apart(worker: Worker) -> None:
    """One's full account is nothing to another; one model's limit nothing to another model's."""
    one = limit(LimitName.REQUESTS_PER_DAY, 1)
    worker.take(one)
    assert isinstance(worker.reserve(one), Refusal)
    assert isinstance(worker.reserve(one, tenant="other"), Reservation)
    worker.take(replace(one, scope="model:other"))


def test_soft_limits_are_told(worker: Worker) -> None:
    """Granted beyond them, and the policy in force is in the reservation."""
    granted = worker.take(limit(LimitName.TPM, 5, Mode.SOFT))
    assert granted.flags == ("soft:tpm", "degraded")
    assert granted.degraded == "local_share"


def test_another_share_or_amount_is_not_another_window(worker: Worker) -> None:
    """What was granted in the last minute counts, however many workers or how much there is now."""
    assert worker.admitted(limit(LimitName.RPM, 8), share=1.0) == 8
    assert worker.admitted(limit(LimitName.RPM, 8), share=0.5) == 0
    assert worker.admitted(limit(LimitName.RPM, 10), share=1.0) == 2


def test_windows_of_another_length_are_apart(worker: Worker) -> None:
    """As they are in Redis: a rate per second that got a longer window knows what it granted."""
    second = limit(LimitName.RPS, 4)
    assert worker.admitted(second) == 4
    assert worker.admitted(replace(second, amount=6, window_ms=2000)) == 2
