"""From the configuration to how a month is billed."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from math import inf
from typing import Any

import pytest

from app.bootstrap.billing import billing_rules
from app.domain.billing.purchase import HourPrice, Purchase, Term
from app.domain.billing.rules import BillingRules
from app.domain.billing.statement import IdleRule
from app.settings import ConfigProblems, build, load_catalog

CATALOG = load_catalog()
PTU: Any = {"kind": "ptu", "ptus": 50, "model": "gpt-4o", "endpoint": "https://x.openai.azure.com"}
PAYGO: Any = {"kind": "paygo", "model": "gpt-4o", "endpoint": "https://y.openai.azure.com"}


def rules(billing: Any = None, ptu: Any = None, **rest: Any) -> BillingRules:
    key = {"auth": {"api_key": "x"}}
    raw = {
        "deployments": {"east": PTU | key | (ptu or {}), "pay": PAYGO | key},
        "models": {
            "gpt-4o": {"tiers": [["east"], ["pay"]]},
            "chat": {"alias": "gpt-4o"},
            "only": {"tiers": [["east"]]},
            "cheap": {"tiers": [["pay"]]},
        },
        "billing": billing or {},
    }
    return billing_rules(build(raw | rest), CATALOG)


def purchase(entry: Any = None, **rest: Any) -> Purchase:
    return rules({"ptus": {"east": entry or {}}}, **rest).purchases[0]


def test_that_ptus_are_paid_by_the_hour_where_nothing_is_said() -> None:
    """At the price in force, which may change within the month."""
    prices = {"deployments": {"east": [{"usd_per_ptu_hour": 2, "from": "2026-11-10"}]}}
    found = purchase(prices=prices)
    begins = datetime(2026, 11, 10, tzinfo=UTC).timestamp()
    assert (found.term, found.reserved, found.ptus) == (Term.HOURLY, 0, 50)
    assert found.hours[0] == HourPrice(-inf, Fraction(1))
    assert found.hours[-1] == HourPrice(begins, Fraction(2))
    assert found.size is not None
    assert found.size.input_tpm == 2500
    assert found.size.output_ratio == 4


@pytest.mark.parametrize(
    ("entry", "ptu", "reserved", "usd"),
    [
        ({"term": "monthly"}, {}, 50, "260"),
        ({"term": "yearly"}, {}, 50, "2652"),
        ({"term": "yearly"}, {"data_zone": "eu"}, 50, "2917.2"),
        ({"term": "monthly", "usd_per_ptu": 199.9, "reserved": 40}, {}, 40, "199.9"),
    ],
)
def test_that_a_reservation_has_its_price(entry: Any, ptu: Any, reserved: int, usd: str) -> None:
    """The catalogue's, a data zone's factor included, unless one is given."""
    found = purchase(entry, ptu=ptu)
    assert (found.reserved, found.usd_per_reserved) == (reserved, Fraction(usd))


def test_that_a_deployment_is_there_from_day_to_day() -> None:
    """Its last day counts whole."""
    found = purchase({"from": "2026-11-10", "until": "2026-11-11"})
    assert found.ends - found.starts == 2 * 86_400


def test_whom_ptus_serve_and_what_spills_from_them() -> None:
    """Under every name; what has no tier behind its PTUs does not spill."""
    found = rules({"time_zone": "Europe/Berlin", "currency": "EUR", "per_usd": 0.92, "idle": "use"})
    assert found.serves == {"east": {"gpt-4o", "chat", "only"}}
    assert found.spilling == {"gpt-4o", "chat"}
    assert (found.zone, found.idle) == ("Europe/Berlin", IdleRule.USE)
    assert (found.currency.code, found.currency.per_usd) == ("EUR", Fraction("0.92"))


@pytest.mark.parametrize(
    ("billing", "said"),
    [
        ({"currency": "EUR"}, "billing.per_usd: is missing"),
        ({"per_usd": 0.9}, "billing.per_usd: must be 1"),
        ({"ptus": {"pay": {}}}, "billing.ptus.pay: no PTU deployment"),
        ({"ptus": {"east": {"usd_per_ptu": 5}}}, "does not belong to term hourly"),
        ({"ptus": {"east": {"term": "monthly", "reserved": 51}}}, "more than the deployment's 50"),
        ({"ptus": {"east": {"from": "2026-11-02", "until": "2026-11-01"}}}, "is before from"),
        ({"time_zone": "Mars"}, "no IANA time zone"),
        ({"currency": "euro", "per_usd": 0.9}, "billing.currency"),
    ],
)
def test_that_mistakes_are_named(billing: Any, said: str) -> None:
    """Where they are, and what is wrong."""
    with pytest.raises(ConfigProblems) as found:
        rules(billing)
    assert said in "\n".join(map(str, found.value.problems))
