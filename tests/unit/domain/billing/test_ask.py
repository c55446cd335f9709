"""What is asked for, completed and refused."""

from __future__ import annotations

from datetime import UTC
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.domain.billing.ask import AskedStatement, Given, MistakenAsk, asked_of, shares_of
from app.domain.billing.currency import Currency
from app.domain.billing.rules import BillingRules
from app.domain.billing.statement import IdleRule
from app.domain.identity.directory import TenantEntry
from app.domain.identity.route_policy import RoutePolicy
from tests.unit.domain.billing.months import AT, UNTIL, USD, paid, ptu, served

EUR = Currency("EUR", Fraction("0.9"))
RULES = BillingRules((ptu(),), {"ptu": frozenset({"gpt-4o"})}, currency=EUR, idle=IdleRule.USE)


def asked(now: float = AT, **given: Any) -> AskedStatement:
    return asked_of(Given(**given), RULES, UTC, now)


def test_that_what_is_left_out_is_as_configured() -> None:
    """The month under way, up to now."""
    found = asked()
    assert (found.month.name, found.until, found.is_complete) == ("2026-11", AT, False)
    assert (found.by, found.currency, found.idle) == (("tenant",), EUR, IdleRule.USE)
    assert asked(UNTIL + 5, month="2026-11").is_complete
    berlin = asked_of(Given(month="2026-11"), RULES, ZoneInfo("Europe/Berlin"), UNTIL)
    assert berlin.month.starts == asked().month.starts - 3_600_000


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"month": "November"}, "month"),
        ({"month": "2026-12"}, "month"),  # has not begun
        ({"by": "model"}, "by"),
        ({"by": "tag:"}, "by"),
        ({"by": ""}, "by"),
        ({"by": "tenant,tenant"}, "by"),
        ({"by": "tag:a,tag:b,tag:c,tag:d,tag:e"}, "by"),
        ({"currency": "SEK"}, "per_usd"),
        ({"per_usd": "0"}, "per_usd"),
        ({"per_usd": "nan"}, "per_usd"),
        ({"per_usd": "much"}, "per_usd"),
        ({"per_usd": "1e-4000000"}, "per_usd"),  # seconds of arithmetic, and more of each digit
    ],
)
def test_that_a_mistake_is_named(given: dict[str, Any], param: str) -> None:
    """By the parameter that it is in."""
    with pytest.raises(MistakenAsk) as refused:
        asked(**given)
    assert refused.value.param == param


def test_which_currency_it_is_in() -> None:
    """The configured one at its rate, dollars, or any at a rate that is given."""
    assert asked(currency="EUR").currency == EUR
    assert asked(currency="USD").currency == Currency()
    assert asked(per_usd="0.91").currency == Currency("EUR", Fraction("0.91"))
    assert asked(currency="SEK", per_usd="10.5").currency == Currency("SEK", Fraction("10.5"))


def test_that_lines_have_the_values_that_were_asked_for() -> None:
    """In the order in which they were."""
    rows = [paid("a", USD, tags={"team": "x"}), served("b", 5, tags={"app": "y"})]
    bill = asked(UNTIL, by="tag:app,tenant,tag:team", currency="USD").bill(rows, {})
    assert [line.key for line in bill.lines] == [("y", "search", None), (None, "search", "x")]
    assert asked(by="tenant").bill(rows, {}).lines[0].key == ("search",)


def test_who_has_a_share_of_which_ptus() -> None:
    """Of deployments that serve what the tenant may use; to the written digit."""
    third = RoutePolicy(ptu_share=0.3)
    tenants = [
        TenantEntry("a", routing=third),
        TenantEntry("b", routing=third, models=("gpt-4o-mini",)),
        TenantEntry("c", routing=third, models=("gpt-4o",)),
        TenantEntry("d", routing=third, disabled=True),
        TenantEntry("e"),
    ]
    assert shares_of(RULES, tenants) == {"ptu": {"a": Fraction(3, 10), "c": Fraction(3, 10)}}
