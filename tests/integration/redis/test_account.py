"""The account script on a real server: what is admitted, refused, settled, and what is left."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest

from app.adapters.redis.account import (
    SeedTotals,
    Settlement,
    Skewed,
    Unseeded,
    account_key,
)
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries
from app.domain.quota.calendar import CalendarWindow, days_around, hour_of, months_around
from app.domain.quota.limit import (
    RULE_NAMES,
    Limit,
    LimitName,
    Mode,
    measuring_limits,
    scopes_of,
    spill_limits,
)
from app.domain.quota.reservation import Amounts, Charge, Refusal, Reservation
from app.errors import StoreUnavailable
from tests.fakes.changed import replace
from tests.integration.redis.tenant_account import Account, limit, opened

#: Of each limit, an amount that has room for 137 requests of 10 tokens and 100 nano-dollars.
ROOM = {
    LimitName.RPS: 137,
    LimitName.RPM: 137,
    LimitName.TPM: 1_379,
    LimitName.CONCURRENCY: 137,
    LimitName.REQUESTS_PER_DAY: 137,
    LimitName.TOKENS_PER_DAY: 1_370,
    LimitName.TOKENS_PER_MONTH: 1_379,
    LimitName.USD_PER_DAY: 0.0000137,
    LimitName.USD_PER_MONTH: 0.00001379,
}


@pytest.mark.parametrize("name", RULE_NAMES)
async def test_a_crowd_is_admitted_exactly_as_far_as_there_is_room(
    account: Account, name: LimitName
) -> None:
    """500 at once against room for 137: 137, for each kind of limit."""
    kind = limit(name, ROOM[name])
    if name is LimitName.RPS:
        kind = replace(kind, window_ms=60_000)  # a second would pass while they are asked
    answers = await asyncio.gather(*(account.script.reserve(account.ask(kind)) for _ in range(500)))
    assert sum(isinstance(answer, Reservation) for answer in answers) == 137


#: Room to spill for 137 requests of 100 nano-dollars, by the day, by the hour, and in either.
USD = 0.0000137
BUDGETS = {
    "day": spill_limits(USD),
    "hour": spill_limits(None, USD),
    "hour of a day with more": spill_limits(1.0, USD),
    "day with less than its hour": spill_limits(USD, 1.0),
}
BUDGET = BUDGETS["day"]


@pytest.fixture
async def in_the_hour() -> None:
    """Not so near its end that a test would be in two."""
    while (left_s := 3600 - time.time() % 3600) < 10:
        await asyncio.sleep(left_s)


@pytest.mark.usefixtures("in_the_hour")
@pytest.mark.parametrize("budget", BUDGETS.values(), ids=list(BUDGETS))
async def test_a_crowd_may_spill_exactly_as_far_as_there_is_money(
    account: Account, budget: tuple[Limit, ...]
) -> None:
    """500 at once: all are admitted, 137 may spill; so many again as then were not spilled."""

    async def crowd() -> list[Reservation]:
        asks = [account.ask().within(budget) for _ in range(500)]
        answers = await asyncio.gather(*map(account.script.reserve, asks))
        assert all(isinstance(answer, Reservation) for answer in answers)
        return [each for each in answers if isinstance(each, Reservation) and each.may_spill]

    first = await crowd()
    assert len(first) == 137
    charges = [
        Settlement(each, Charge(Amounts(1, 10, 100), b"{}", spilled=number < 37))
        for number, each in enumerate(first)
    ]
    assert set(await account.script.settle(account.tenant, charges)) == {"settled"}
    assert len(await crowd()) == 100


async def test_never_more_is_spilled_than_there_is_money(account: Account) -> None:
    """Requests that end and begin all at once: whenever one looks, and to the last nano-dollar."""
    draw, spilled = random.Random(7), 0

    async def used() -> int:
        days, months = days_around(time.time()), months_around(time.time())
        _, (amount,) = await account.script.read(account.tenant, BUDGET, days, months)
        return amount

    async def play() -> None:
        nonlocal spilled
        for _ in range(40):
            granted = await account.script.reserve(account.ask().within(BUDGET))
            assert isinstance(granted, Reservation)
            assert await used() <= BUDGET[0].amount
            leaves = granted.may_spill and draw.random() < 0.5
            spilled += leaves
            charge = Charge(Amounts(1, 10, 100), b"{}", spilled=leaves)
            await account.script.settle(account.tenant, [Settlement(granted, charge)])

    await asyncio.gather(*(play() for _ in range(20)))
    assert (spilled, await used()) == (137, 13_700)


@pytest.mark.usefixtures("in_the_hour")
@pytest.mark.parametrize("name", ["day", "hour"])
async def test_a_spill_budget_that_is_set_later_knows_the_past(account: Account, name: str) -> None:
    """What was spilled is counted whether there is a budget for it or not."""
    taken = await account.take()
    charge = Charge(Amounts(1, 10, 13_700), b"{}", spilled=True)
    await account.script.settle(account.tenant, [Settlement(taken, charge)])
    granted = await account.script.reserve(account.ask().within(BUDGETS[name]))
    assert isinstance(granted, Reservation)
    assert (granted.may_spill, granted.left) == (False, (0,))


@pytest.mark.usefixtures("in_the_hour")
async def test_of_two_spill_budgets_the_one_with_room_loses_none_of_it(account: Account) -> None:
    """Who is over the hour's holds nothing in the day's either; which it was is told."""
    budgets = spill_limits(USD, 0.0)
    granted = await account.script.reserve(account.ask().within(budgets))
    assert isinstance(granted, Reservation)
    assert (granted.may_spill, granted.flags) == (False, ("spill:usd_per_hour",))
    assert granted.left == (0, 13_700)
    days, months = days_around(time.time()), months_around(time.time())
    _, used = await account.script.read(account.tenant, budgets, days, months)
    assert used == (0, 0)


@pytest.mark.usefixtures("in_the_hour")
async def test_what_was_granted_elsewhere_is_charged_in_its_hour(account: Account) -> None:
    """After a flush; what an older version granted, which names none, in the day alone."""

    async def used() -> tuple[int, ...]:
        days, months = days_around(time.time()), months_around(time.time())
        _, amounts = await account.script.read(
            account.tenant, BUDGETS["day with less than its hour"], days, months
        )
        return amounts

    async def settle(hour: CalendarWindow | None) -> None:
        ask = account.ask()
        alone = Reservation(ask, "local:fail_open", ask.days[1], ask.months[1], hour=hour)
        charge = Charge(Amounts(1, 10, 100), b"{}", spilled=True)
        assert await account.script.settle(account.tenant, [Settlement(alone, charge)]) == [
            "adopted"
        ]

    await settle(hour_of(days_around(time.time())[1], time.time()))
    assert await used() == (100, 100)
    await settle(None)
    assert await used() == (100, 200)


async def test_a_spilled_request_whose_hold_expired_is_charged_as_that(account: Account) -> None:
    """Its worker was away for too long; the budget hears of it all the same."""
    granted = await account.brief.reserve(account.ask().within(BUDGET))
    assert isinstance(granted, Reservation)
    await asyncio.sleep(0.05)  # as long as it lives, and some
    charge = Charge(Amounts(1, 10, 13_700), b"{}", spilled=True)
    settled = await account.script.settle(account.tenant, [Settlement(granted, charge)])
    assert settled[0] in {"late", "settled"}
    again = await account.script.reserve(account.ask().within(BUDGET))
    assert isinstance(again, Reservation)
    assert not again.may_spill


async def test_a_refusal_changes_nothing(account: Account) -> None:
    """One scope without room: not a byte of any counter differs afterwards."""
    roomy = limit(LimitName.TPM, 1000)
    tight = replace(limit(LimitName.TOKENS_PER_DAY, 15), scope="key:k1")
    await account.take(roomy, tight)
    before = await account.keys()
    refusal = await account.script.reserve(account.ask(roomy, tight))
    assert isinstance(refusal, Refusal)
    assert (refusal.limit, refusal.used, refusal.asked) == (tight, 10, 10)
    assert refusal.wait_s is not None
    assert 0 < refusal.wait_s <= 86_400
    assert await account.keys() == before


async def test_asking_again_takes_nothing_again(account: Account) -> None:
    """The same id after a lost reply: granted, and counted once, at a full limit too."""
    full = limit(LimitName.TOKENS_PER_DAY, 10)
    await account.take(full, name="a")
    again = await account.take(full, name="a")
    assert again.left == (0,)
    assert await account.used(LimitName.TOKENS_PER_DAY) == 10


async def test_a_settlement_counts_once(account: Account) -> None:
    """What was used replaces what was held; a repetition is a duplicate."""
    taken = await account.take()
    assert await account.used(LimitName.CONCURRENCY) == 1
    assert await account.settle(taken, 7, b'{"n":1}') == "settled"
    assert await account.settle(taken, 7, b'{"n":1}') == "duplicate"
    assert await account.used(LimitName.TOKENS_PER_DAY) == 7
    assert await account.used(LimitName.TOKENS_PER_MONTH) == 7
    assert await account.used(LimitName.USD_PER_DAY) == 7
    assert await account.used(LimitName.CONCURRENCY) == 0
    assert await account.rows() == [(b'{"n":1}', b"")]


async def test_what_was_not_used_is_room_again(account: Account) -> None:
    """A minute's tokens are corrected in the moment they were taken, up as well as down."""
    minute = limit(LimitName.TPM, 100)
    first = await account.take(minute, tokens=90)
    assert isinstance(await account.script.reserve(account.ask(minute, tokens=20)), Refusal)
    await account.settle(first, 30)
    second = await account.take(minute, tokens=70)
    await account.settle(second, 75)
    refusal = await account.script.reserve(account.ask(minute, tokens=1))
    assert isinstance(refusal, Refusal)
    assert refusal.used == 105


async def test_a_hold_that_nobody_extends_ends(account: Account) -> None:
    """Its row says so, nothing is charged; a late settlement charges once and is marked."""
    kept = await account.take(name="kept")
    lost = await account.brief.reserve(account.ask(name="lost"))
    assert isinstance(lost, Reservation)
    async with asyncio.timeout(20):
        while await account.used(LimitName.CONCURRENCY) == 2:
            await asyncio.sleep(0.005)
    assert await account.script.extend(account.tenant, ["kept", "lost"]) == {"kept"}
    assert await account.used(LimitName.TOKENS_PER_DAY) == 10  # that of "kept"
    assert await account.settle(lost, 4) == "late"
    assert await account.settle(lost, 4) == "duplicate"
    assert await account.settle(kept, 5) == "settled"
    assert await account.used(LimitName.TOKENS_PER_DAY) == 9
    assert [mark for _, mark in await account.rows()] == [b"expired", b"late", b""]


async def test_what_measures_takes_no_requests_place(account: Account) -> None:
    """Neither in a window nor in concurrency; the tenant's budgets hold and count it."""
    names = (LimitName.RPM, LimitName.TPM, LimitName.CONCURRENCY)
    rates = [limit(name, 1_000_000) for name in names]
    ask = account.ask(*rates, limit(LimitName.TOKENS_PER_DAY, 1_000), name="m")
    measuring = await account.script.reserve(ask.measuring(measuring_limits(1.0)))
    assert isinstance(measuring, Reservation)
    assert [await account.used(name) for name in names] == [0, 0, 0]
    await account.take(*rates, name="own")
    assert [await account.used(name) for name in names] == [1, 10, 1]
    assert await account.settle(measuring, 7) == "settled"
    assert [await account.used(name) for name in names] == [1, 10, 1]
    assert await account.used(LimitName.TOKENS_PER_DAY) == 17
    refused = account.ask(limit(LimitName.TOKENS_PER_DAY, 20)).measuring(measuring_limits(1.0))
    assert isinstance(await account.script.reserve(refused), Refusal)


async def test_an_extended_hold_lives_on(account: Account) -> None:
    """A heartbeat moves its end."""
    await account.take(name="a")
    where = f"{account_key(account.tenant)}:expiry"
    await account.client.zadd(where, {"a": (time.time() + 30) * 1000})
    assert await account.script.extend(account.tenant, ["a"]) == {"a"}
    ends = await account.client.zscore(where, "a")
    assert ends is not None
    assert ends / 1000 > time.time() + 60


async def test_a_window_lets_in_again_when_it_said(account: Account) -> None:
    """After the given time there is room, and not long before."""
    two, began = replace(limit(LimitName.RPS, 2), window_ms=2000), time.time()
    await account.take(two)
    await account.take(two)
    refusal = await account.script.reserve(account.ask(two))
    assert isinstance(refusal, Refusal)
    assert refusal.wait_s is not None
    assert began + 1.98 < time.time() + refusal.wait_s
    assert refusal.wait_s < 2.1
    await asyncio.sleep(refusal.wait_s)
    await account.take(two)


async def test_waiting_is_pointless_for_what_never_fits(account: Account) -> None:
    """More than the whole limit: no time is named."""
    refusal = await account.script.reserve(account.ask(limit(LimitName.TPM, 9)))
    assert isinstance(refusal, Refusal)
    assert refusal.wait_s is None


async def test_soft_and_shadow_limits_are_told_not_enforced(account: Account) -> None:
    """Admitted beyond them, and the reservation names which."""
    soft = limit(LimitName.TPM, 5, Mode.SOFT)
    shadow = limit(LimitName.TOKENS_PER_DAY, 5, Mode.SHADOW)
    taken = await account.take(limit(LimitName.RPM, 5), soft, shadow)
    assert taken.flags == ("soft:tpm", "shadow:tokens_per_day")
    assert taken.soft == ("tpm",)


async def test_an_account_that_was_flushed_admits_nobody(account: Account) -> None:
    """Until it is seeded again; a settlement from before is adopted then, once."""
    taken = await account.take()
    for key in await account.keys():
        await account.client.delete(key)
    with pytest.raises(Unseeded):
        await account.script.reserve(account.ask())
    with pytest.raises(Unseeded):
        await account.settle(taken, 7)
    today = days_around(time.time())[1]
    totals = SeedTotals("day", today, {"tokens:tenant": 100})
    await account.script.seed(account.tenant, [totals], generation="g2")
    assert await account.settle(taken, 7) == "adopted"
    assert await account.settle(taken, 7) == "duplicate"
    assert await account.used(LimitName.TOKENS_PER_DAY) == 107
    assert await account.used(LimitName.CONCURRENCY) == 0


async def test_of_two_seeders_one_wins(account: Account) -> None:
    """A generation is replaced only by one who knew it."""
    script, tenant = account.script, account.tenant
    assert await script.seed(tenant, [], generation="g2") == "g1"
    assert await script.seed(tenant, [], generation="g2", replaces="g1") == "g2"
    assert await script.seed(tenant, [], generation="g3", replaces="g1") == "g2"


async def test_a_clock_that_is_far_off_is_told_the_time(account: Account) -> None:
    """None of the days it asked with is the server's: the server says what time it is."""
    ask = replace(account.ask(), days=days_around(time.time() + 10 * 86_400))
    with pytest.raises(Skewed) as skewed:
        await account.script.reserve(ask)
    assert abs(skewed.value.now - time.time()) < 5


async def test_a_rate_may_get_a_longer_window(account: Account) -> None:
    """What was taken in the short one counts in the long one, and is not remembered for ever."""
    short = replace(limit(LimitName.RPS, 2), window_ms=1000)
    await account.take(short)
    long = replace(short, window_ms=2000)
    refusal = await account.script.reserve(account.ask(replace(long, amount=1)))
    assert isinstance(refusal, Refusal)
    assert refusal.wait_s is not None
    await asyncio.sleep(refusal.wait_s)
    last = await account.take(long)
    assert last.left == (1,)


async def test_a_hold_that_ended_may_be_asked_for_again(account: Account) -> None:
    """The first answer was lost for longer than the hold lived: it is still charged once."""
    await account.brief.reserve(account.ask(name="a"))
    async with asyncio.timeout(20):
        while await account.used(LimitName.CONCURRENCY):
            await asyncio.sleep(0.005)
    again = await account.take(name="a")
    assert await account.settle(again, 4) == "settled"
    assert await account.settle(again, 4) == "duplicate"
    assert await account.used(LimitName.TOKENS_PER_DAY) == 4


async def test_a_hold_that_ends_as_it_is_asked_for_again_is_charged_once(account: Account) -> None:
    """Nobody looked in between: the call that takes it again lets the first one end."""
    await account.brief.reserve(account.ask(name="a"))
    await asyncio.sleep(0.05)  # more than it lives
    again = await account.take(name="a")
    assert await account.settle(again, 4) == "settled"
    assert await account.settle(again, 4) == "duplicate"
    assert await account.used(LimitName.TOKENS_PER_DAY) == 4


async def test_asks_of_one_turn_are_judged_in_turn(account: Account) -> None:
    """Each is judged after those before it, whichever key and model it is of."""
    roomy, tight = limit(LimitName.RPM, 100), limit(LimitName.TOKENS_PER_DAY, 25)
    one, other = account.ask(roomy, tight), replace(account.ask(tight), scopes=scopes_of("k2", "m"))
    asks = [replace(ask, id=f"r{number}") for number, ask in enumerate([one, other, one, one])]
    answers = await asyncio.gather(*map(account.script.reserve, asks))
    assert [isinstance(each, Reservation) for each in answers] == [True, True, False, False]
    left = [each.left for each in answers if isinstance(each, Reservation)]
    assert left == [(99, 15), (5,)]


async def test_lengths_of_a_window_are_not_mixed(account: Account) -> None:
    """Half a worker's requests know the new rate already: both are held to their own."""
    short = replace(limit(LimitName.RPS, 3), window_ms=60_000)
    long = replace(short, window_ms=120_000)
    asks = [account.ask(each) for each in (short, long, short, long)]
    answers = await asyncio.gather(*map(account.script.reserve, asks))
    assert sum(isinstance(answer, Reservation) for answer in answers) == 3


async def test_who_leaves_first_takes_nobody_along(account: Account) -> None:
    """Of those that ask in one turn some leave before it ends, or before there is an answer."""
    for turns in range(3):
        asking = [
            asyncio.create_task(account.script.reserve(account.ask(name=f"{turns}-{number}")))
            for number in range(4)
        ]
        for _ in range(turns):
            await asyncio.sleep(0)
        asking[0].cancel()
        asking[2].cancel()
        answers = await asyncio.gather(*asking, return_exceptions=True)
        assert [isinstance(each, Reservation) for each in answers] == [False, True, False, True]


async def test_a_server_without_memory_admits_nobody_and_charges_all(tmp_path: Path) -> None:
    """A reservation is refused as a whole, and what runs is settled."""
    binaries = replace(installed_binaries(), search=None)
    async with embedded_redis(tmp_path, binaries=binaries) as server, opened(server.url) as account:
        taken = await account.take()
        before = await account.keys()
        await account.client.config_set("maxmemory", 1)
        with pytest.raises(StoreUnavailable):
            await account.take(limit(LimitName.TPM, 100))
        assert await account.keys() == before
        assert await account.settle(taken, 7) == "settled"
        await account.client.config_set("maxmemory", 0)
        assert await account.used(LimitName.TOKENS_PER_DAY) == 7


async def test_a_reservation_that_arrives_after_its_settlement_holds_nothing(
    account: Account,
) -> None:
    """It had waited in a frozen server's buffers while its worker granted and settled it alone."""
    ask = account.ask(name="x")
    alone = Reservation(ask, "local:fail_open", ask.days[1], ask.months[1])
    assert await account.settle(alone, 7) == "adopted"
    await account.script.reserve(ask)
    assert await account.settle(alone, 7) == "duplicate"
    assert await account.used(LimitName.CONCURRENCY) == 0
    assert await account.used(LimitName.TOKENS_PER_DAY) == 7


async def test_a_worker_that_granted_alone_settles_the_hold_it_never_heard_of(
    account: Account,
) -> None:
    """Once, though its settlement is repeated."""
    ask = account.ask(name="x")
    await account.script.reserve(ask)
    alone = Reservation(ask, "local:fail_open", ask.days[1], ask.months[1])
    assert await account.settle(alone, 7) == "settled"
    assert await account.settle(alone, 7) == "duplicate"
    assert await account.used(LimitName.TOKENS_PER_DAY) == 7
