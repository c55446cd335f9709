"""What a worker does with settlements, whatever becomes of them on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.adapters.accounts import settlements
from app.adapters.accounts.accounts import Options, SharedAccounts, shared_accounts
from app.adapters.accounts.spool import Leftover
from app.adapters.redis.account import Settlement, Skewed, Unseeded
from app.adapters.redis.account_packing import packed_items
from app.adapters.redis.batch import NotSent, Refused
from app.domain.identity.tenant import LossPolicy, Tenant
from app.domain.quota.calendar import days_around, months_around
from app.domain.quota.limit import LimitName, LimitRule, limit_of
from app.domain.quota.reservation import Amounts, Ask, Charge, Reservation
from app.errors import QuotaUnavailable, StoreUnavailable
from tests.fakes.account_script import FakeScript, alone
from tests.fakes.changed import replace
from tests.fakes.clock import FakeClock


@dataclass(slots=True)
class Worker:
    """One worker's accounts on a script that does as it is told."""

    accounts: SharedAccounts
    script: FakeScript
    clock: FakeClock = field(default_factory=FakeClock)
    asked: int = 0

    def ask(self, tenant: str = "t") -> Ask:
        """A request without limits."""
        self.asked += 1
        days, months = days_around(self.clock.unix()), months_around(self.clock.unix())
        amounts = Amounts(1, 10, 10)
        return Ask(f"r{self.asked}", tenant, ("tenant",), amounts, (), days, months, b"{}")

    async def take(self, tenant: str = "t") -> Reservation:
        """A reservation."""
        granted = await self.accounts.reserve(self.ask(tenant), Tenant(tenant))
        assert isinstance(granted, Reservation)
        return granted

    def settle(self, reservation: Reservation) -> None:
        """Charge it."""
        row = b'{"id":"%b"}' % reservation.ask.id.encode()
        self.accounts.settle(reservation, Charge(Amounts(1, 7, 7), row))

    async def settle_some(self, count: int) -> None:
        """As many requests, from beginning to end."""
        for reservation in [await self.take() for _ in range(count)]:
            self.settle(reservation)

    @property
    def charged(self) -> list[str]:
        """The ids of what was charged, in its order."""
        return [each.reservation.ask.id for each in self.script.settled if each.reservation]


@asynccontextmanager
async def working(archive: Path | None = None) -> AsyncIterator[Worker]:
    """A worker whose settlements are sent."""
    script, clock = FakeScript(), FakeClock()
    async with shared_accounts(
        script, alone(), clock, drain_s=0, options=Options(archive=archive)
    ) as accounts:
        yield Worker(accounts, script, clock)


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    async with working() as one:
        yield one


async def test_settlements_wait_for_others_where_nobody_waits_for_room(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of a moment are one call."""
    monkeypatch.setattr(settlements, "LINGER_S", 0.5)
    for _ in range(3):
        await worker.settle_some(1)
        await asyncio.sleep(0.001)
    assert worker.script.sent == []
    assert await worker.accounts.settled(20)
    assert worker.script.sent == [3]


@pytest.mark.parametrize(
    ("name", "amount", "left", "at_once"),
    [
        (LimitName.CONCURRENCY, 1000, 101, False),
        (LimitName.CONCURRENCY, 1000, 100, True),
        (LimitName.TPM, 2000, 650, False),  # of 10 tokens each
        (LimitName.TPM, 2000, 640, True),
        (LimitName.REQUESTS_PER_DAY, 1000, 1, False),
        (LimitName.RPM, 1000, 1, False),
    ],
)
async def test_room_that_somebody_may_wait_for_is_given_back_at_once(
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
    name: LimitName,
    amount: int,
    left: int,
    *,
    at_once: bool,
) -> None:
    """Where little was left; and what lingers goes with it. Of requests nothing is given back."""
    monkeypatch.setattr(settlements, "LINGER_S", 3600.0)
    met = limit_of(LimitRule(name, amount), 0.0)
    worker.settle(await worker.take())
    taken = await worker.take()
    worker.settle(replace(taken, ask=replace(taken.ask, limits=(met,)), left=(left,)))
    assert await worker.accounts.settled(20 if at_once else 0.02) is at_once
    assert worker.script.sent == ([2] if at_once else [])


async def test_what_a_failure_gives_back_is_given_back_at_once(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that is not charged is one that may be asked again."""
    monkeypatch.setattr(settlements, "LINGER_S", 3600.0)
    met = limit_of(LimitRule(LimitName.REQUESTS_PER_DAY, 1000), 0.0)
    taken = await worker.take()
    released = replace(taken, ask=replace(taken.ask, limits=(met,)), left=(1,))
    worker.accounts.settle(released, Charge(Amounts(), b"{}"))
    assert await worker.accounts.settled(20)


def once(error: Exception) -> Callable[[Sequence[Settlement]], None]:
    """Fail the first time."""
    left = [error]

    def settling(_part: Sequence[Settlement]) -> None:
        if left:
            raise left.pop()

    return settling


async def test_settling_goes_on_after_what_nobody_expected(worker: Worker) -> None:
    """What waited is settled, though nothing more comes that would wake anybody."""
    worker.script.settling = once(MemoryError())
    await worker.settle_some(3)
    assert await worker.accounts.settled(5)
    assert worker.charged == ["r1", "r2", "r3"]


async def test_tenants_of_a_lost_node_do_not_hold_up_the_others(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many of them wait: more than are sent at once."""
    monkeypatch.setattr(settlements, "RETRY_S", 60.0)

    def lost(part: Sequence[Settlement]) -> None:
        if any(each.reservation and each.reservation.ask.tenant != "well" for each in part):
            raise NotSent("The node is lost.")

    worker.script.settling = lost
    for number in range(40):
        worker.settle(await worker.take(f"lost-{number}"))
    for _ in range(3):
        reservation = await worker.take("well")
        worker.settle(reservation)
        async with asyncio.timeout(20):
            while reservation.ask.id not in worker.charged:
                await asyncio.sleep(0)


async def test_an_account_that_settlements_find_lost_is_reported(worker: Worker) -> None:
    """It is seeded without waiting for its tenant's next request."""
    worker.script.settling = once(Unseeded())
    await worker.settle_some(1)
    assert await worker.accounts.settled(5)
    assert worker.script.unseeded == ["t"]
    assert worker.charged == ["r1"]


def refusing(*ids: str) -> Callable[[Sequence[Settlement]], None]:
    """Refuse every part that has one of these in it, as a script that fails does."""

    def settling(part: Sequence[Settlement]) -> None:
        if any(each.reservation and each.reservation.ask.id in ids for each in part):
            raise Refused("user_script:1: attempt to index a nil value")

    return settling


async def test_one_that_redis_refuses_holds_up_no_other(worker: Worker) -> None:
    """All but it are charged, in few calls; its loss is told with what it takes to mend it."""
    worker.script.settling = refusing("r2", "r70")
    with capture_logs() as logs:
        await worker.settle_some(100)
        assert await worker.accounts.settled(5)
    assert worker.charged == [f"r{n}" for n in range(1, 101) if n not in {2, 70}]
    assert len(worker.script.sent) < 40
    assert [(log["event"], log["id"], log["tokens"]) for log in logs] == [
        ("settlement_refused", "r2", 7),
        ("settlement_refused", "r70", 7),
    ]
    assert worker.accounts.settlements.refused_total == 2


@pytest.mark.parametrize(
    "charge", [Charge(Amounts(1, 7, 7), b"\xff"), Charge(Amounts(1, 2**64, 7), b"{}")]
)
async def test_what_cannot_even_be_packed_holds_up_no_other(worker: Worker, charge: Charge) -> None:
    """A row that is no text, and more tokens than a number can say."""
    first, second = await worker.take(), await worker.take()
    worker.script.settling = packed
    worker.accounts.settle(first, charge)
    worker.settle(second)
    assert await worker.accounts.settled(5)
    assert worker.charged == ["r2"]


def packed(part: Sequence[Settlement]) -> None:
    """Pack them as the real script does."""
    packed_items(part)


async def test_a_store_that_is_away_refuses_nothing(worker: Worker) -> None:
    """However long it takes, all of it is charged."""
    worker.script.settling = once(StoreUnavailable("away"))
    await worker.settle_some(2)
    assert await worker.accounts.settled(5)
    assert worker.charged == ["r1", "r2"]
    assert worker.accounts.settlements.refused_total == 0


async def refused_while_away(worker: Worker, error: Exception) -> None:
    """Ask for a strict tenant that fails with this."""

    def reserving(_ask: Ask) -> None:
        raise error

    worker.script.reserving = reserving
    strict = Tenant("t", redis_loss=LossPolicy.FAIL_CLOSED)
    with pytest.raises(QuotaUnavailable):
        await worker.accounts.reserve(worker.ask(), strict)


async def test_what_may_have_been_granted_unheard_is_given_back(worker: Worker) -> None:
    """A strict tenant's request that Redis did not answer in time."""
    await refused_while_away(worker, StoreUnavailable("no answer"))
    assert await worker.accounts.settled(5)
    assert worker.charged == ["r1"]


@pytest.mark.parametrize("error", [NotSent("lost"), Skewed(1_790_000_000.0)])
async def test_what_was_never_granted_is_not_given_back(worker: Worker, error: Exception) -> None:
    """Else each refusal of a long outage would take memory until its end."""
    await refused_while_away(worker, error)
    assert worker.accounts.unsettled == 0


@pytest.mark.parametrize(
    ("error", "sent"), [(StoreUnavailable("no answer"), True), (NotSent("lost"), False)]
)
async def test_only_what_may_have_arrived_is_looked_for(
    worker: Worker, error: StoreUnavailable, *, sent: bool
) -> None:
    """A row that is sent again says since when it may be there; one that never left does not."""
    worker.script.settling = once(error)
    worker.accounts.record("t", b"{}")
    assert await worker.accounts.settled(5)
    assert [each.sent for each in worker.script.settled] == [worker.clock.unix() if sent else None]


async def eventually(holds: Callable[[], bool], *, within_s: float = 20.0) -> None:
    """Wait until a condition holds; fail when it does not in time."""
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(0.005)


def away(_part: Sequence[Settlement]) -> None:
    """Redis answers nobody."""
    raise NotSent("lost")


def on_disk(archive: Path) -> list[str]:
    """The ids of what the worker's spool holds, in its order."""
    found: list[str] = []
    for path in (archive / "spool").glob("*.spool"):
        with suppress(FileNotFoundError):  # it goes as soon as Redis has it
            found += [line.hold.id for line in Leftover(path).lines() if line.hold]
    return found


async def test_what_redis_does_not_take_is_on_the_disk(tmp_path: Path) -> None:
    """At once, also what comes later; and no longer than until Redis has it."""
    async with working(tmp_path) as worker:
        worker.script.settling = away
        await worker.settle_some(2)
        await eventually(lambda: on_disk(tmp_path) == ["r1", "r2"])
        await worker.settle_some(1)
        await eventually(lambda: on_disk(tmp_path) == ["r1", "r2", "r3"])
        worker.script.settling = lambda _part: None
        assert await worker.accounts.settled(5)
        await eventually(lambda: on_disk(tmp_path) == [])
    assert list((tmp_path / "spool").iterdir()) == []
    assert worker.charged == ["r1", "r2", "r3"]


async def test_nothing_is_on_the_disk_while_redis_answers(tmp_path: Path) -> None:
    """Not even a directory."""
    async with working(tmp_path) as worker:
        await worker.settle_some(300)
        assert await worker.accounts.settled(5)
    assert list(tmp_path.iterdir()) == []


async def test_only_who_waits_for_redis_waits_on_the_disk(tmp_path: Path) -> None:
    """A tenant whose account is not seeded is not another's business."""

    def settling(part: Sequence[Settlement]) -> None:
        if any(each.reservation and each.reservation.ask.tenant == "lost" for each in part):
            raise Unseeded

    async with working(tmp_path) as worker:
        worker.script.settling = settling
        worker.settle(await worker.take("lost"))
        await eventually(lambda: on_disk(tmp_path) == ["r1"])
        await worker.settle_some(3)
        await eventually(lambda: worker.charged == ["r2", "r3", "r4"])
        assert on_disk(tmp_path) == ["r1"]


async def test_what_a_leaving_worker_could_not_settle_is_settled_by_the_next(
    tmp_path: Path,
) -> None:
    """It says how much there was."""
    with capture_logs() as logs:
        async with working(tmp_path) as first:
            first.script.settling = away
            await first.settle_some(3)
    assert [(log["event"], log["count"]) for log in logs] == [("settlements_spooled", 3)]
    async with working(tmp_path) as second:
        await eventually(lambda: second.charged == ["r1", "r2", "r3"])
        await eventually(lambda: not list((tmp_path / "spool").iterdir()))


async def test_a_disk_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    """Settling goes on as without one; what is left at the end is lost, and said to be."""
    (tmp_path / "spool").write_bytes(b"in the way")
    with capture_logs() as logs:
        async with working(tmp_path) as worker:
            worker.script.settling = away
            settlements = worker.accounts.settlements
            await worker.settle_some(1)
            await eventually(lambda: settlements.unspooled_total == 1)
            await worker.settle_some(1)
            await eventually(lambda: settlements.unspooled_total == 2)
    events = [log["event"] for log in logs]
    assert events == ["settlements_not_spooled", "settlements_lost"]
