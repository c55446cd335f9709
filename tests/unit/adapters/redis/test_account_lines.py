"""Who asks together, and what becomes of those whose line somebody leaves or the store loses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import pytest

from app.adapters.redis.account_lines import MOST, Lines
from app.adapters.redis.account_packing import Answer, Unseeded
from app.adapters.redis.batch import NotSent
from app.domain.quota.calendar import days_around, months_around
from app.domain.quota.limit import LimitName, LimitRule, limit_of, scopes_of
from app.domain.quota.reservation import Amounts, Ask, Reservation
from app.errors import StoreUnavailable
from tests.fakes.changed import replace

NOW = time.time()
ASK = Ask(
    id="r",
    tenant="t",
    scopes=scopes_of("k", "m"),
    amounts=Amounts(1, 10, 10),
    limits=(limit_of(LimitRule(LimitName.RPS, 10), NOW),),
    days=days_around(NOW),
    months=months_around(NOW),
)


@dataclass(slots=True)
class Account:
    """Admits everybody; keeps who came together."""

    calls: list[list[str]] = field(default_factory=list)
    error: Exception | None = None
    answering: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(10**6))

    async def reserve(self, _tenant: str, packed: Sequence[bytes]) -> bytes:
        ids = [ask[0] for ask in msgspec.msgpack.decode(packed[0])[2]]
        self.calls.append(ids)
        await self.answering.acquire()
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        day, month = ASK.days[1].name, ASK.months[1].name
        line = f"admitted {day} {month} {day}T00 1 "
        return "\n".join(["1700000000000 g", *[line for _ in ids]]).encode()


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def lines(account: Account) -> Lines:
    return Lines(account.reserve, 90_000)


def asked(lines: Lines, *ids: str, ask: Ask = ASK) -> list[asyncio.Task[Answer]]:
    return [asyncio.create_task(lines.ask(replace(ask, id=id_))) for id_ in ids]


async def test_one_turn_is_one_call(lines: Lines, account: Account) -> None:
    """And each has its own answer."""
    answers = await asyncio.gather(*asked(lines, "a", "b", "c"))
    assert account.calls == [["a", "b", "c"]]
    assert [each.ask.id for each in answers if isinstance(each, Reservation)] == ["a", "b", "c"]
    await asyncio.gather(*asked(lines, "d"))
    assert account.calls[1:] == [["d"]]


async def test_tenants_do_not_mix(lines: Lines, account: Account) -> None:
    """Their accounts may be on two nodes."""
    other = asked(lines, "x", ask=replace(ASK, tenant="u"))
    await asyncio.gather(*asked(lines, "a", "b"), *other)
    assert sorted(account.calls) == [["a", "b"], ["x"]]


async def test_a_crowd_is_several_calls(lines: Lines, account: Account) -> None:
    """One call must not hold up everybody else's for long."""
    await asyncio.gather(*asked(lines, *map(str, range(MOST + 1))))
    assert sorted(len(call) for call in account.calls) == [1, MOST]


async def test_two_lengths_of_a_window_are_two_calls(lines: Lines, account: Account) -> None:
    """The script keeps one of each window."""
    slower = replace(ASK, limits=(limit_of(LimitRule(LimitName.RPS, 0.5), NOW),))
    await asyncio.gather(*asked(lines, "a"), *asked(lines, "b", ask=slower))
    assert sorted(account.calls) == [["a"], ["b"]]


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("leaves", range(3))
async def test_who_leaves_takes_nobody_along(
    lines: Lines, account: Account, turns: int, leaves: int
) -> None:
    """At whatever moment; who left before it was sent is not asked for."""
    asking = asked(lines, "a", "b", "c")
    for _ in range(turns):
        await asyncio.sleep(0)
    sent = bool(account.calls)
    asking[leaves].cancel()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    others = [each for number, each in enumerate(answers) if number != leaves]
    assert all(isinstance(each, Reservation) for each in others)
    assert len(account.calls) == 1
    assert ("abc"[leaves] in account.calls[0]) is sent


@pytest.mark.parametrize("error", [StoreUnavailable("away"), Unseeded()])
async def test_what_befalls_the_call_befalls_all(
    lines: Lines, account: Account, error: Exception
) -> None:
    """Each is told, and the next line is a new one."""
    account.error = error
    told = await asyncio.gather(*asked(lines, "a", "b"), return_exceptions=True)
    assert told == [error, error]
    account.error = None
    assert isinstance((await asyncio.gather(*asked(lines, "c")))[0], Reservation)


async def turns(count: int = 5) -> None:
    """Let everybody get on who can."""
    for _ in range(count):
        await asyncio.sleep(0)


async def came_one_by_one(lines: Lines, *ids: str) -> list[asyncio.Task[Answer]]:
    asking = []
    for id_ in ids:
        asking += asked(lines, id_)
        await turns()
    return asking


async def test_who_comes_while_the_account_is_busy_goes_together(
    lines: Lines, account: Account
) -> None:
    """With the next call, in the order they came, as soon as one is answered."""
    account.answering = asyncio.Semaphore(0)
    asking = await came_one_by_one(lines, *"abcdef")
    assert account.calls == [["a"], ["b"]]
    account.answering.release()
    await turns(10)
    assert account.calls == [["a"], ["b"], ["c", "d", "e", "f"]]
    for _ in range(2):
        account.answering.release()
    assert all(isinstance(each, Reservation) for each in await asyncio.gather(*asking))


async def test_a_lost_store_costs_those_who_wait_no_time_of_their_own(
    lines: Lines, account: Account
) -> None:
    """What was on its way may have arrived; the others were certainly not sent."""
    account.answering = asyncio.Semaphore(0)
    asking = await came_one_by_one(lines, *"abcd")
    account.error = StoreUnavailable("away")
    account.answering.release()
    await turns(10)
    told = [each.exception() for each in asking if each.done()]
    assert [type(each) for each in told] == [StoreUnavailable, NotSent, NotSent]
    assert account.calls == [["a"], ["b"]]
    account.answering.release()
    await asyncio.gather(*asking, return_exceptions=True)


async def test_a_line_that_nobody_is_left_in_holds_up_no_other(
    lines: Lines, account: Account
) -> None:
    """Its turn is the next one's."""
    account.answering = asyncio.Semaphore(0)
    asking = await came_one_by_one(lines, *"abc")
    slower = replace(ASK, limits=(limit_of(LimitRule(LimitName.RPS, 0.5), NOW),))
    (other,) = asked(lines, "d", ask=slower)  # a line of its own
    await turns()
    asking[2].cancel()
    account.answering.release()
    await turns(10)
    assert account.calls == [["a"], ["b"], ["d"]]
    for _ in range(2):
        account.answering.release()
    assert isinstance(await other, Reservation)
    await asyncio.gather(*asking, return_exceptions=True)


async def test_accounts_do_not_wait_for_each_other(lines: Lines, account: Account) -> None:
    """However busy one of them is."""
    account.answering = asyncio.Semaphore(0)
    asking = await came_one_by_one(lines, *"abc")
    asking += asked(lines, "x", ask=replace(ASK, tenant="u"))
    await turns()
    assert account.calls == [["a"], ["b"], ["x"]]
    for _ in range(4):
        account.answering.release()
    await asyncio.gather(*asking)
