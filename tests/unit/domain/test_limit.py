"""Rules become limits of a request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.limit import (
    FORMS,
    Kind,
    Limit,
    LimitName,
    LimitRule,
    Measure,
    Mode,
    limit_of,
    limits_on,
    limits_on_key,
    scope_of,
    scopes_of,
)


def test_every_limit_has_a_form() -> None:
    """None is forgotten."""
    assert set(FORMS) == set(LimitName)


@pytest.mark.parametrize(
    ("rate", "amount", "window_ms"),
    [(20, 20, 1000), (0.5, 1, 2000), (1.5, 3, 2000), (0, 0, 1000), (1 / 60, 1, 60_000)],
)
def test_a_rate_per_second_may_be_a_fraction(rate: float, amount: int, window_ms: int) -> None:
    """Whole requests in a longer window."""
    limit = limit_of(LimitRule(LimitName.RPS, rate), 0.0)
    assert (limit.amount, limit.window_ms, limit.kind) == (amount, window_ms, Kind.WINDOW)


@given(st.decimals(0, 9_000_000, places=9))
def test_dollars_are_whole_nano_dollars(dollars: object) -> None:
    """As they were written, whatever binary fractions make of them."""
    limit = limit_of(LimitRule(LimitName.USD_PER_DAY, float(str(dollars))), 0.0)
    assert limit.measure is Measure.NANO_USD
    assert abs(limit.amount - int(float(str(dollars)) * 10**9)) <= 2


def test_one_cent_is_ten_million() -> None:
    """Exactly."""
    assert limit_of(LimitRule(LimitName.USD_PER_MONTH, 0.01), 0.0).amount == 10_000_000


def test_an_override_ends() -> None:
    """It holds before its moment, and not at it; it may be nothing."""
    rule = LimitRule(LimitName.TPM, 100, override=0, override_until=50.0)
    assert [limit_of(rule, moment).amount for moment in (49.9, 50.0)] == [0, 100]


def test_a_request_meets_the_limits_of_its_key_and_model() -> None:
    """And those of the whole tenant; others are not its business."""
    rules = (
        LimitRule(LimitName.RPM, 1),
        LimitRule(LimitName.RPM, 2, key_id="k"),
        LimitRule(LimitName.RPM, 3, model="m"),
        LimitRule(LimitName.RPM, 4, Mode.SOFT, key_id="k", model="m"),
        LimitRule(LimitName.RPM, 5, key_id="other"),
        LimitRule(LimitName.RPM, 6, key_id="k", model="other"),
    )

    def amounts(limits: tuple[Limit, ...]) -> list[int]:
        return [limit.amount for limit in limits]

    met = limits_on(rules, "k", "m", 0.0)
    assert amounts(met) == [1, 2, 3, 4]
    assert [limit.scope for limit in met] == ["tenant", "key:k", "model:m", "key:k/model:m"]
    assert met[3].mode is Mode.SOFT
    assert amounts(limits_on_key(rules, "k", 0.0)) == [1, 2, 3, 4, 6]


def test_every_limit_holds_in_a_scope_that_is_counted() -> None:
    """Or it would count nothing."""
    counted = set(scopes_of("k", "m"))
    scopes = {scope_of(key, model) for key in (None, "k") for model in (None, "m")}
    assert scopes == counted
