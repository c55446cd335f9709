"""Cents, yen and fils."""

from __future__ import annotations

from fractions import Fraction

import pytest

from app.domain.billing.currency import Currency

ONE = 1_000_000_000


@pytest.mark.parametrize(
    ("code", "per_usd", "nano_usd", "shown"),
    [
        ("USD", "1", ONE, "1.00"),
        ("USD", "1", 5_000_000, "0.01"),  # half a cent
        ("USD", "1", 4_999_999, "0.00"),
        ("EUR", "0.92", 100 * ONE, "92.00"),
        ("JPY", "150.5", 3 * ONE, "452"),
        ("KWD", "0.307", ONE, "0.307"),
    ],
)
def test_what_an_amount_is(code: str, per_usd: str, nano_usd: int, shown: str) -> None:
    """Rounded to the nearest of the smallest unit that there is, halves up."""
    currency = Currency(code, Fraction(per_usd))
    assert currency.shown(currency.units(nano_usd)) == shown
