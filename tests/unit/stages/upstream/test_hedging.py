"""After how long another one is asked, and out of what it is paid."""

from __future__ import annotations

import pytest

from app.domain.capacity.shares import RequestClass
from app.domain.routing.hedge_policy import HedgePolicy
from tests.fakes.changed import replace
from tests.fakes.hedged import ALWAYS, PROMPT, STREAM, Hedged
from tests.fakes.house import deployment

LEARNING = HedgePolicy(frozenset(RequestClass), part=0.9)


def begun(policy: HedgePolicy) -> Hedged:
    """A request that is about to be sent."""
    hedged = Hedged(("paygo-a", "paygo-b"), policy=policy)
    hedged.begin()
    return hedged


def test_the_delay_is_fixed_or_what_is_usual_there() -> None:
    """Of that deployment alone; unknown is no delay at all."""
    assert begun(ALWAYS).hedging.delay_s(deployment("x"), STREAM, begun(ALWAYS).observation) == 1.0
    hedged = begun(LEARNING)
    for number in range(100):
        hedged.first_tokens.add("paygo-a", PROMPT, number / 100, hedged.clock.now())
    delays = [
        hedged.hedging.delay_s(deployment(name), STREAM, hedged.observation)
        for name in ("paygo-a", "paygo-b")
    ]
    assert delays == [0.89, None]


def test_what_has_no_reservation_is_not_hedged() -> None:
    """Nobody could hold what it would cost."""
    hedged = begun(ALWAYS)
    hedged.observation.reservation = None
    assert hedged.hedging.delay_s(deployment("a"), STREAM, hedged.observation) is None


@pytest.mark.parametrize(("requests", "paid"), [(19, False), (20, True)])
async def test_a_hedge_is_paid_by_the_requests_before_it(requests: int, *, paid: bool) -> None:
    """The account is not asked in vain."""
    hedged = begun(replace(ALWAYS, percent=5))
    for _ in range(requests):
        hedged.hedging.started(hedged.observation, hedged.clock.now())
    names = ("paygo-a", "paygo-b")
    bill = await hedged.hedging.bill(hedged.observation, names, 0)
    assert (bill is not None, len(hedged.accounts.asks)) == (paid, int(paid))
    assert await hedged.hedging.bill(hedged.observation, names, 0) is None
    if bill is not None:
        bill.release()
    hedged.nothing_is_left()


async def test_what_was_paid_is_kept_for_a_minute() -> None:
    """A gateway that is quiet for long hedges nothing at first."""
    hedged = begun(ALWAYS)
    hedged.hedging.started(hedged.observation, hedged.clock.now())
    hedged.clock.advance(61)
    assert await hedged.hedging.bill(hedged.observation, ("paygo-a", "paygo-b"), 0) is None
