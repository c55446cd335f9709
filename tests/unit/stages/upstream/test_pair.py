"""A stream that does not begin is asked for twice: who answers, what it costs, what is left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from msgspec import structs

from app.domain.call.errand import Purpose
from app.domain.call.request import InferenceRequest
from app.domain.capacity.shares import RequestClass
from app.domain.identity.route_policy import RoutePolicy
from app.domain.ledger.ledger_row import RowKind
from app.domain.quota.limit import LimitName, LimitRule, limit_of
from app.domain.routing.attempt import Verdict
from app.domain.routing.hedge_policy import HedgePolicy
from app.errors import NowhereAllowed, Overloaded, UpstreamError, UpstreamUnreachable
from tests.fakes.changed import replace
from tests.fakes.hedged import ALWAYS, PROMPT, STREAM, Hedged, streams

TWO = ("paygo-a", "paygo-b")


async def playing(hedged: Hedged, work: asyncio.Task[str], *, asked: str = "paygo-b") -> None:
    """Until the hedge is under way, the first one being late."""
    await hedged.upstream.is_asked("paygo-a")
    hedged.late()
    await hedged.upstream.is_asked(asked)
    assert not work.done()


async def test_the_second_answers_where_the_first_is_late() -> None:
    """The first is given up at once; the prompt that it read is charged, as an estimate."""
    hedged = Hedged(TWO)
    streams(hedged, "paygo-b")
    work = asyncio.create_task(hedged.play())
    await playing(hedged, work)
    hedged.upstream.let("paygo-b")
    assert await work == "paygo-b"
    assert hedged.upstream.given_up == ["paygo-a"]
    assert hedged.attempts == [("paygo-a", Verdict.HEDGED), ("paygo-b", Verdict.ACCEPT)]
    (row,) = hedged.accounts.rows
    assert (row.kind, row.deployment, row.errand) == (RowKind.SETTLED, "paygo-a", "hedge")
    assert (row.input, row.output, row.nano_usd) == (PROMPT, 0, 2 * PROMPT)
    assert "estimated" in row.flags
    assert row.request_id == hedged.observation.request_id


async def test_the_first_may_still_win() -> None:
    """Just before the other: now that one is charged."""
    hedged = Hedged(TWO)
    streams(hedged, "paygo-a")
    work = asyncio.create_task(hedged.play())
    await playing(hedged, work)
    hedged.upstream.let("paygo-a")
    assert await work == "paygo-a"
    assert hedged.upstream.given_up == ["paygo-b"]
    assert hedged.attempts == [("paygo-b", Verdict.HEDGED), ("paygo-a", Verdict.ACCEPT)]
    assert [row.deployment for row in hedged.accounts.rows] == ["paygo-b"]


async def test_both_in_the_same_moment_are_one_answer() -> None:
    """The first one's; the other is closed unread, and charged."""
    hedged = Hedged(TWO)
    streams(hedged, *TWO)
    work = asyncio.create_task(hedged.play())
    await playing(hedged, work)
    hedged.upstream.let(*TWO)
    winner = await work
    (loser,) = set(TWO) - {winner}
    assert hedged.attempts == [(loser, Verdict.HEDGED), (winner, Verdict.ACCEPT)]
    assert [row.deployment for row in hedged.accounts.rows] == [loser]


async def test_a_second_that_nothing_is_left_to_ask_with() -> None:
    """Was not asked: the first goes on, and what was held for the second is given back."""
    hedged = Hedged(TWO)
    streams(hedged, "paygo-a")
    hedged.upstream("paygo-b").fails(Overloaded)
    work = asyncio.create_task(hedged.play())
    await playing(hedged, work)
    hedged.upstream.let("paygo-b")
    await asyncio.sleep(0)
    hedged.upstream.let("paygo-a")
    assert await work == "paygo-a"
    assert hedged.attempts == [("paygo-a", Verdict.ACCEPT)]
    assert [row.kind for row in hedged.accounts.rows] == [RowKind.RELEASED]


async def test_who_answers_in_time_is_asked_alone() -> None:
    """Nothing is held, and no row written."""
    hedged = Hedged(TWO)
    streams(hedged, "paygo-a")
    hedged.upstream.let("paygo-a")
    assert await hedged.play() == "paygo-a"
    assert hedged.upstream.names == ["paygo-a"]
    assert (hedged.accounts.asks, hedged.accounts.rows) == ([], [])


async def test_a_hedge_that_fails_leaves_the_first_to_go_on() -> None:
    """It is an attempt like any other; nothing was lost, and nothing is charged."""
    hedged = Hedged(TWO)
    streams(hedged, "paygo-a")
    hedged.upstream("paygo-b").answers(429, retry_after_ms=500)
    work = asyncio.create_task(hedged.play())
    await playing(hedged, work)
    hedged.upstream.let("paygo-b")
    while not hedged.attempts:
        await asyncio.sleep(0)
    hedged.upstream.let("paygo-a")
    assert await work == "paygo-a"
    assert hedged.attempts == [("paygo-b", Verdict.THROTTLED), ("paygo-a", Verdict.ACCEPT)]
    assert "paygo-b" in hedged.holds.until
    assert [(row.kind, row.nano_usd) for row in hedged.accounts.rows] == [(RowKind.RELEASED, 0)]


async def test_a_first_that_fails_leaves_the_hedge_to_go_on() -> None:
    """Nobody else is asked meanwhile."""
    hedged = Hedged(TWO, ("paygo-c",))
    streams(hedged, "paygo-b")
    hedged.upstream("paygo-a").fails(UpstreamUnreachable)
    work = asyncio.create_task(hedged.play())
    await playing(hedged, work)
    hedged.upstream.let("paygo-a", "paygo-c")
    while not hedged.attempts:
        await asyncio.sleep(0)
    hedged.upstream.let("paygo-b")
    assert await work == "paygo-b"
    assert hedged.attempts == [("paygo-a", Verdict.FAILED), ("paygo-b", Verdict.ACCEPT)]
    assert [row.kind for row in hedged.accounts.rows] == [RowKind.RELEASED]


async def test_a_first_that_refuses_while_the_delay_lasts_is_followed_at_once() -> None:
    """As without hedging: nobody waits for the delay, and the next one is no hedge."""
    hedged = Hedged(TWO)
    streams(hedged, "paygo-b")
    hedged.upstream("paygo-a").answers(429, retry_after_ms=500)
    hedged.upstream.let(*TWO)
    assert await hedged.play() == "paygo-b"
    assert hedged.attempts == [("paygo-a", Verdict.THROTTLED), ("paygo-b", Verdict.ACCEPT)]
    assert hedged.accounts.asks == []


async def test_both_fail_and_the_next_tier_answers() -> None:
    """Each has its own verdict."""
    hedged = Hedged(TWO, ("paygo-c",))
    streams(hedged, "paygo-c")
    for name in TWO:
        hedged.upstream(name).fails(UpstreamUnreachable)
    work = asyncio.create_task(hedged.play())
    await playing(hedged, work)
    hedged.upstream.let(*TWO, "paygo-c")
    assert await work == "paygo-c"
    assert sorted(hedged.attempts[:2]) == [(name, Verdict.FAILED) for name in TWO]
    assert hedged.attempts[2:] == [("paygo-c", Verdict.ACCEPT)]


async def test_a_client_that_leaves_ends_both() -> None:
    """Neither answered: nothing is charged, as for one that is given up before it answered."""
    hedged = Hedged(TWO)
    work = asyncio.create_task(hedged.play())
    await playing(hedged, work)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert sorted(hedged.upstream.given_up) == list(TWO)
    hedged.nothing_is_left()
    assert [(row.kind, row.nano_usd) for row in hedged.accounts.rows] == [(RowKind.RELEASED, 0)]


async def test_a_client_that_leaves_before_the_hedge_ends_the_delay() -> None:
    """Nobody else is asked for somebody who is gone."""
    hedged = Hedged(TWO)
    work = asyncio.create_task(hedged.play())
    await hedged.upstream.is_asked("paygo-a")
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    hedged.late()
    await asyncio.sleep(0)
    assert hedged.upstream.given_up == ["paygo-a"]
    assert (hedged.accounts.asks, len(asyncio.all_tasks())) == ([], 1)


CRITICAL_ALONE = HedgePolicy(frozenset({RequestClass.CRITICAL}), after_s=1.0, percent=100)
ALONE: dict[str, Callable[[], Hedged]] = {
    "only one in its tier": lambda: Hedged(("paygo-a",), ("paygo-b",)),
    "the other one is paid for otherwise": lambda: Hedged(("paygo-a", "ptu-b")),
    "it may be thinking": lambda: Hedged(TWO, reasoning=("paygo-a",)),
    "the other one may be thinking": lambda: Hedged(TWO, reasoning=("paygo-b",)),
    "another class": lambda: Hedged(TWO, policy=CRITICAL_ALONE),
    "nothing is known of what is usual": lambda: Hedged(
        TWO, policy=HedgePolicy(frozenset(RequestClass), percent=100)
    ),
}


@pytest.mark.parametrize("why", ALONE)
async def test_who_is_not_hedged_is_waited_for(why: str) -> None:
    """No delay is begun, whatever it takes."""
    hedged = ALONE[why]()
    streams(hedged, "paygo-a")
    work = asyncio.create_task(hedged.play())
    await hedged.upstream.is_asked("paygo-a")
    hedged.upstream.let("paygo-a")
    assert await work == "paygo-a"
    assert (hedged.slept, hedged.accounts.asks) == ([], [])


@pytest.mark.parametrize(
    "request_",
    [
        structs.replace(STREAM, stream=False),
        structs.replace(STREAM, stores=True),
        structs.replace(STREAM, previous_response_id="resp_1"),
        structs.replace(STREAM, references=("item_1",)),
    ],
    ids=["whole", "stored", "continues", "refers"],
)
async def test_what_must_not_be_asked_twice_is_not(request_: InferenceRequest) -> None:
    """Only a stream tells that it began; what is stored would be there twice."""
    hedged = Hedged(TWO)
    streams(hedged, "paygo-a")
    hedged.upstream.let("paygo-a")
    async with hedged.asked(request_):
        assert hedged.upstream.names == ["paygo-a"]
    assert hedged.slept == []


async def test_an_errand_is_never_hedged() -> None:
    """It is nobody's who waits; nor does it pay for a part of a hedge."""
    hedged = Hedged(TWO)
    streams(hedged, "paygo-a")
    hedged.upstream.let("paygo-a")
    scope = hedged.asked()
    hedged.observation.errand = Purpose.SAMPLE
    async with scope:
        assert hedged.slept == []
    assert hedged.budget.left(hedged.clock.now()) == 0


async def unhedged(hedged: Hedged) -> None:
    """The first one is late, and yet nobody else is asked; it answers in the end."""
    streams(hedged, "paygo-a")
    work = asyncio.create_task(hedged.play())
    await hedged.upstream.is_asked("paygo-a")
    hedged.late()
    for _ in range(20):
        await asyncio.sleep(0)
    hedged.upstream.let("paygo-a")
    assert await work == "paygo-a"
    assert hedged.upstream.names == ["paygo-a"]


async def test_hedges_are_at_most_their_part_of_all_requests() -> None:
    """One in twenty: what nineteen requests paid is none, and one spends what twenty paid."""
    hedged = Hedged(TWO, policy=replace(ALWAYS, percent=5))
    for _ in range(18):
        hedged.budget.started(hedged.clock.now())
    await unhedged(hedged)
    assert hedged.accounts.asks == []
    again = Hedged(TWO, policy=replace(ALWAYS, percent=5))
    for _ in range(19):
        again.budget.started(again.clock.now())
    streams(again, "paygo-b")
    work = asyncio.create_task(again.play())
    await playing(again, work)
    again.upstream.let("paygo-b")
    assert await work == "paygo-b"
    assert again.budget.left(again.clock.now()) == 0


async def test_a_tenant_without_money_for_two_is_asked_for_once() -> None:
    """Both have to fit the budget, whatever it costs in the end."""
    hedged = Hedged(TWO)
    day = LimitRule(LimitName.USD_PER_DAY, 2 * PROMPT * 1e-9 / 2)
    hedged.limits = (limit_of(day, 0.0),)
    await unhedged(hedged)
    assert len(hedged.accounts.asks) == 1
    assert hedged.budget.left(hedged.clock.now()) == 1


async def test_while_the_account_is_away_nobody_is_hedged() -> None:
    """What cannot be held exactly is not spent."""
    hedged = Hedged(TWO)
    hedged.accounts.unavailable = True
    await unhedged(hedged)


async def test_who_is_held_by_then_is_not_asked() -> None:
    """The other one refused somebody else while this one was waited for."""
    hedged = Hedged(TWO)
    streams(hedged, "paygo-a")
    work = asyncio.create_task(hedged.play())
    await hedged.upstream.is_asked("paygo-a")
    hedged.holds.hold("paygo-b", hedged.clock.now() + 60)
    hedged.late()
    for _ in range(20):
        await asyncio.sleep(0)
    hedged.upstream.let("paygo-a")
    assert await work == "paygo-a"
    assert hedged.accounts.asks == []


async def test_a_policy_that_changed_meanwhile_is_kept() -> None:
    """Where the tenant may not go any more nothing is sent, late or not."""
    hedged = Hedged(TWO)
    hedged.permitted = RoutePolicy(data_zones=frozenset({"eu"}))
    with pytest.raises(NowhereAllowed):
        await hedged.play()
    hedged = Hedged(TWO)
    streams(hedged, "paygo-a")
    work = asyncio.create_task(hedged.play())
    await hedged.upstream.is_asked("paygo-a")
    hedged.permitted = RoutePolicy(data_zones=frozenset({"eu"}))
    hedged.late()
    for _ in range(20):
        await asyncio.sleep(0)
    hedged.upstream.let("paygo-a")
    assert await work == "paygo-a"
    assert hedged.upstream.names == ["paygo-a"]


async def test_a_hedge_in_a_later_tier_is_spilled_as_its_answer_is() -> None:
    """Both stay in the tier that the request came to."""
    hedged = Hedged(("ptu",), TWO)
    hedged.holds.hold("ptu", hedged.clock.now() + 60)
    streams(hedged, "paygo-b")
    work = asyncio.create_task(hedged.play())
    await playing(hedged, work)
    hedged.upstream.let("paygo-b")
    assert await work == "paygo-b"
    ((_, charge),) = hedged.accounts.settled
    assert (charge.spilled, hedged.accounts.rows[0].spill) == (True, "held")
    assert hedged.observation.spill == "held"


async def test_what_is_usual_is_learnt_from_streams() -> None:
    """One that was given up counts with the time that it had."""
    hedged = Hedged(TWO)
    streams(hedged, "paygo-b")
    work = asyncio.create_task(hedged.play())
    await playing(hedged, work)
    hedged.upstream.let("paygo-b")
    await work
    now = hedged.clock.now()
    for name, seconds in (("paygo-a", 1.0), ("paygo-b", 0.0)):
        for _ in range(19):
            hedged.first_tokens.add(name, PROMPT, seconds, now)
        assert hedged.first_tokens.quantile(name, PROMPT, 1.0, now) == seconds


async def test_an_error_of_the_first_is_told_where_the_hedge_fails_too() -> None:
    """Nobody is left: the last failure is what the client hears."""
    hedged = Hedged(TWO)
    for name in TWO:
        hedged.upstream(name).fails(UpstreamUnreachable)
    work = asyncio.create_task(hedged.play())
    await playing(hedged, work)
    hedged.upstream.let(*TWO)
    with pytest.raises(UpstreamError):
        await work
    hedged.nothing_is_left()
