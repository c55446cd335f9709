"""Hedging from the settings: off unless asked for, and what is known outlives a reload."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from app.bootstrap.hedging import Hedges, policy_of
from app.domain.capacity.shares import RequestClass
from app.domain.routing.hedge_policy import HedgePolicy
from app.settings.routing import Hedging
from app.stages.upstream.hedge_account import HedgeAccount
from tests.fakes.accounts import PRICES, FakeAccounts, next_id
from tests.fakes.clock import FakeClock


def test_the_policy_is_what_the_settings_say() -> None:
    """Without any, requests that somebody waits for, after what is usual."""
    waited_for = frozenset({RequestClass.CRITICAL, RequestClass.INTERACTIVE})
    assert policy_of(Hedging()) == HedgePolicy(waited_for, 0.95, None, 5)
    given = Hedging(after="p50", after_s=2, classes=("batch",), percent=50)
    assert policy_of(given) == HedgePolicy(frozenset({RequestClass.BATCH}), 0.5, 2.0, 50)


def test_it_is_off_unless_it_is_on_and_what_is_known_stays() -> None:
    """A reload changes the policy alone."""
    clock, hedges = FakeClock(), Hedges()
    account = HedgeAccount(FakeAccounts(clock), PRICES, clock, new_id=next_id())
    assert hedges.following(Hedging(), account, clock) is None
    first = hedges.following(Hedging(enabled=True), account, clock)
    again = hedges.following(Hedging(enabled=True, percent=50), account, clock)
    assert first is not None
    assert again is not None
    assert (again.budget, again.first_tokens) == (first.budget, first.first_tokens)
    assert hedges.budget.policy.percent == 50


@pytest.mark.parametrize(
    "wrong",
    [{"after": "p42"}, {"after_s": 0}, {"classes": ()}, {"classes": ("vip",)}, {"percent": 51}],
)
def test_a_mistake_is_refused(wrong: dict[str, object]) -> None:
    """More than every other request twice is none of its business."""
    with pytest.raises(ValidationError):
        Hedging.model_validate(wrong)
