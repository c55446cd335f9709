"""What is held for a hedge, and what is charged of it."""

from __future__ import annotations

import pytest

from app.domain.ledger.ledger_row import LedgerRow, RowKind, decode
from app.domain.quota.limit import SPILLED, LimitName, LimitRule, limit_of, spill_limits
from app.domain.routing.attempt import Attempt, Verdict
from app.domain.routing.deployment import Kind
from app.stages.upstream.hedge_account import HedgeAccount, HedgeBill
from tests.fakes.accounts import PRICES, next_id
from tests.fakes.hedged import PROMPT, Hedged

BOTH = ("paygo-a", "paygo-b")


def begun(*limits: LimitRule, spill: float | None = None) -> Hedged:
    """A request that was admitted within these limits."""
    hedged = Hedged(BOTH)
    hedged.limits = tuple(limit_of(each, 0.0) for each in limits)
    hedged.begin()
    reservation = hedged.observation.reservation
    if spill is not None and reservation is not None:
        reservation = type(reservation)(
            reservation.ask.within(spill_limits(spill)), "g", reservation.day, reservation.month
        )
        hedged.observation.reservation = reservation
    return hedged


async def held(
    hedged: Hedged, *, tier: int = 0, told: list[LedgerRow] | None = None
) -> HedgeBill | None:
    account = HedgeAccount(
        hedged.accounts,
        PRICES,
        hedged.clock,
        new_id=next_id("h"),
        charged=([] if told is None else told).append,
    )
    return await account.hold(hedged.observation, BOTH, tier)


def lost(name: str = "paygo-a", tier: int = 0) -> Attempt:
    return Attempt(name, tier, Verdict.HEDGED, None, 1000.0, 1001.5, kind=Kind.PAYGO)


async def test_what_may_be_lost_is_held_beside_the_request() -> None:
    """The prompt, at the dearer of both; in no rate and no concurrency, in the same scopes."""
    hedged = begun(LimitRule(LimitName.RPM, 1), LimitRule(LimitName.TOKENS_PER_DAY, 10**6))
    bill = await held(hedged)
    assert bill is not None
    (ask,) = hedged.accounts.asks
    assert (ask.amounts.tokens, ask.amounts.nano_usd, ask.aside) == (PROMPT, 2 * PROMPT, True)
    assert [limit.name for limit in ask.limits] == [LimitName.TOKENS_PER_DAY]
    reservation = hedged.observation.reservation
    assert reservation is not None
    assert (ask.scopes, ask.id) == (reservation.ask.scopes, "h1")
    draft = decode(ask.draft)
    assert (draft.id, draft.reserved_tokens, draft.errand) == ("h1", PROMPT, "hedge")


async def test_the_prompt_of_who_lost_is_charged_once() -> None:
    """To the deployment that read it; giving it back afterwards changes nothing."""
    hedged = begun()
    bill = await held(hedged)
    assert bill is not None
    bill.charge(lost("paygo-b"))
    bill.release()
    bill.charge(lost("paygo-a"))
    (row,) = hedged.accounts.rows
    assert (row.kind, row.deployment, row.charged.tokens) == (RowKind.SETTLED, "paygo-b", PROMPT)
    assert (row.deployment_kind, row.duration, row.flags) == ("paygo", 1.5, ("estimated",))
    assert row.day
    assert row.hour.startswith(row.day)
    hedged.nothing_is_left()


async def test_who_counts_is_told_of_what_is_charged() -> None:
    """The very row, once; of what was given back nothing."""
    hedged, told = begun(), list[LedgerRow]()
    bill = await held(hedged, told=told)
    assert bill is not None
    bill.charge(lost("paygo-b"))
    bill.charge(lost("paygo-b"))
    assert told == hedged.accounts.rows
    bill = await held(begun(), told=told)
    assert bill is not None
    bill.release()
    assert len(told) == 1


async def test_what_was_not_lost_is_given_back() -> None:
    """All of it."""
    hedged = begun()
    bill = await held(hedged)
    assert bill is not None
    bill.release()
    (row,) = hedged.accounts.rows
    assert (row.kind, row.charged.tokens, row.nano_usd) == (RowKind.RELEASED, 0, 0)


async def test_a_budget_without_room_for_both_holds_nothing() -> None:
    """It stays exact: no second one is asked."""
    assert await held(begun(LimitRule(LimitName.TOKENS_PER_DAY, PROMPT - 1))) is None


@pytest.mark.parametrize(
    ("tier", "usd", "is_held"), [(0, 0.0, True), (1, 0.0, False), (1, 1, True)]
)
async def test_outside_the_first_tier_the_spill_budget_has_to_have_room(
    tier: int, usd: float, *, is_held: bool
) -> None:
    """Within it nothing is spilled, be the budget used up or not."""
    hedged = begun(spill=usd)
    bill = await held(hedged, tier=tier)
    assert (bill is not None) is is_held
    (ask,) = hedged.accounts.asks
    assert (SPILLED in ask.scopes) is (tier > 0)
    if bill is not None:
        bill.release()
    hedged.nothing_is_left()


async def test_while_the_account_is_away_nothing_is_held() -> None:
    """Neither for a request that was granted so, nor for any other."""
    hedged = begun()
    hedged.accounts.unavailable = True
    assert await held(hedged) is None
    hedged.accounts.unavailable = False
    reservation = hedged.observation.reservation
    assert reservation is not None
    hedged.observation.reservation = type(reservation)(
        reservation.ask, "g", reservation.day, reservation.month, degraded="fail_open"
    )
    assert await held(hedged) is None
    hedged.observation.reservation = None
    assert await held(hedged) is None
    assert hedged.accounts.asks == []
