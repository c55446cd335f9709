"""What PTUs cost in a month, by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from math import inf
from typing import Any

import pytest

from app.domain.billing.period import month_named
from app.domain.billing.purchase import HourPrice, Purchase, Term
from app.domain.quota.price import PtuSize

NOVEMBER = month_named("2026-11", UTC)  # 720 hours
USD = 1_000_000_000
ONE_DOLLAR = (HourPrice(-inf, Fraction(1)),)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def cost(until: float = inf, **fields: Any) -> int:
    """Of fifty PTUs."""
    return Purchase("ptu", 50, **{"hours": ONE_DOLLAR} | fields).nano_usd(NOVEMBER, until)


@pytest.mark.parametrize(
    ("fields", "usd"),
    [
        ({}, 50 * 720),
        ({"starts": at("2026-11-30")}, 50 * 24),
        ({"ends": at("2026-11-02")}, 50 * 24),
        ({"starts": at("2026-12-01")}, 0),
        ({"hours": (*ONE_DOLLAR, HourPrice(at("2026-11-16"), Fraction(2)))}, 50 * 360 * 3),
        ({"term": Term.MONTHLY, "reserved": 50, "usd_per_reserved": Fraction(260)}, 13_000),
        ({"term": Term.YEARLY, "reserved": 50, "usd_per_reserved": Fraction(2652)}, 11_050),
        # Ten more than are reserved are paid by the hour.
        ({"term": Term.MONTHLY, "reserved": 40, "usd_per_reserved": Fraction(260)}, 17_600),
    ],
)
def test_what_a_month_costs(fields: dict[str, Any], usd: int) -> None:
    """Hours of the month, or the reservation's part of it; prices change at their moment."""
    assert cost(**fields) == usd * USD


def test_that_a_month_under_way_costs_what_has_passed() -> None:
    """A reservation as well as hours."""
    half = at("2026-11-16")
    assert cost(half) == 50 * 360 * USD
    monthly: Any = {"term": Term.MONTHLY, "reserved": 50, "usd_per_reserved": Fraction(260)}
    assert cost(half, **monthly) == 6_500 * USD
    assert cost(at("2026-10-31")) == 0


def test_how_much_it_could_have_served() -> None:
    """Minutes that it was there, times what its PTUs do in one."""
    size = PtuSize(Fraction(2500), Fraction(0), Fraction(4))
    purchase = Purchase("ptu", 2, ONE_DOLLAR, size=size, starts=at("2026-11-30"))
    assert purchase.capacity(NOVEMBER, inf) == 2 * 2500 * 1440
    assert Purchase("ptu", 2, ONE_DOLLAR).capacity(NOVEMBER, inf) is None
