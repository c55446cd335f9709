"""What limits mean in whole units, and which of them meet a request."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.quota.limit import (
    BUDGETS,
    FORMS,
    MEASURED,
    NANO,
    RULE_NAMES,
    SPILLED,
    Kind,
    LimitName,
    LimitRule,
    Measure,
    Mode,
    RuleMode,
    limit_of,
    limits_on,
    measuring_limits,
    scope_of,
    scopes_of,
    spill_limits,
)

NOW = 1_790_000_000.0


def test_every_limit_has_a_form() -> None:
    """What it counts, and over which time."""
    assert FORMS.keys() == set(LimitName)


@pytest.mark.parametrize(
    ("name", "amount", "expected"),
    [
        (LimitName.RPS, 20, (Kind.WINDOW, Measure.REQUESTS, 20, 1_000)),
        (LimitName.RPS, 0.5, (Kind.WINDOW, Measure.REQUESTS, 1, 2_000)),
        (LimitName.RPS, 2.5, (Kind.WINDOW, Measure.REQUESTS, 5, 2_000)),
        (LimitName.RPM, 600, (Kind.WINDOW, Measure.REQUESTS, 600, 60_000)),
        (LimitName.TPM, 200_000, (Kind.WINDOW, Measure.TOKENS, 200_000, 60_000)),
        (LimitName.CONCURRENCY, 50, (Kind.LIVE, Measure.REQUESTS, 50, 0)),
        (LimitName.TOKENS_PER_MONTH, 4e8, (Kind.MONTH, Measure.TOKENS, 400_000_000, 0)),
        (LimitName.USD_PER_DAY, 200, (Kind.DAY, Measure.NANO_USD, 200_000_000_000, 0)),
        (LimitName.USD_PER_DAY, 0.1, (Kind.DAY, Measure.NANO_USD, 100_000_000, 0)),
        (LimitName.USD_PER_MONTH, 1e-9, (Kind.MONTH, Measure.NANO_USD, 1, 0)),
    ],
)
def test_a_rule_is_put_in_whole_units(
    name: LimitName, amount: float, expected: tuple[Kind, Measure, int, int]
) -> None:
    """A fraction a second takes a longer window; a tenth of a dollar is a tenth of a dollar."""
    limit = limit_of(LimitRule(name, amount), NOW)
    assert (limit.kind, limit.measure, limit.amount, limit.window_ms) == expected


@pytest.mark.parametrize(("usd", "nano"), [(50, 50 * 10**9), (0.1, 10**8), (0, 0)])
def test_a_spill_budget_is_a_limit_of_its_own(usd: float, nano: int) -> None:
    """Of the day, in a scope of its own, and in a mode that no rule has."""
    (limit,) = spill_limits(usd)
    assert (limit.amount, limit.kind, limit.measure) == (nano, Kind.DAY, Measure.NANO_USD)
    assert (limit.scope, limit.mode) == (SPILLED, Mode.SPILL)
    assert spill_limits(None) == ()
    assert set(get_args(RuleMode)) == set(Mode) - {Mode.SPILL}


def test_a_spill_budget_is_of_the_hour_of_the_day_or_of_both() -> None:
    """Each a limit of its own in one scope; nobody sets one by the hour for anything else."""
    hour, day = spill_limits(50, 5)
    assert (hour.name, hour.kind, hour.amount) == (LimitName.USD_PER_HOUR, Kind.HOUR, 5 * NANO)
    assert (day.name, day.kind, day.amount) == (LimitName.USD_PER_DAY, Kind.DAY, 50 * NANO)
    assert {(each.scope, each.mode) for each in (hour, day)} == {(SPILLED, Mode.SPILL)}
    assert spill_limits(None, 5) == (hour,)
    assert set(RULE_NAMES) == set(LimitName) - {LimitName.USD_PER_HOUR}


@given(st.fractions(Fraction(1, 60), 1000, max_denominator=60))
def test_a_rate_is_kept(rate: Fraction) -> None:
    """Whatever its window, as much is let in each second as the rule says."""
    limit = limit_of(LimitRule(LimitName.RPS, float(rate)), NOW)
    assert Fraction(limit.amount * 1000, limit.window_ms) == rate
    assert limit.window_ms <= 60_000


@given(st.decimals(0, 9_000_000, places=9))
def test_dollars_are_whole_nano_dollars(dollars: Decimal) -> None:
    """As they were written, whatever binary fractions make of them."""
    written = float(dollars)
    assert limit_of(LimitRule(LimitName.USD_PER_DAY, written), NOW).amount == int(
        Decimal(repr(written)) * 10**9
    )


@pytest.mark.parametrize(("moment", "amount"), [(NOW - 1, 900), (NOW, 600), (NOW + 1, 600)])
def test_an_override_ends(moment: float, amount: int) -> None:
    """At its moment the rule's own amount is in force again."""
    rule = LimitRule(LimitName.RPM, 600, override=900, override_until=NOW)
    assert limit_of(rule, moment).amount == amount


def test_an_override_may_be_nothing() -> None:
    """Zero is an amount, not the lack of one."""
    rule = LimitRule(LimitName.RPM, 600, override=0, override_until=NOW)
    assert limit_of(rule, NOW - 1).amount == 0


def test_a_request_counts_in_four_scopes() -> None:
    """Its tenant, its key, its model, and the model through the key."""
    assert scopes_of("k", "m") == ("tenant", "key:k", "model:m", "key:k/model:m")


@pytest.mark.parametrize("key", [None, "k", "other"])
@pytest.mark.parametrize("model", [None, "m", "other"])
def test_a_request_meets_the_limits_of_its_scopes(key: str | None, model: str | None) -> None:
    """And none of another key or model."""
    rule = LimitRule(LimitName.RPM, 5, Mode.SOFT, key, model)
    met = limits_on([rule], "k", "m", NOW)
    assert bool(met) is ("other" not in {key, model})
    assert all(limit.scope == scope_of(key, model) in scopes_of("k", "m") for limit in met)
    assert all(limit.mode is Mode.SOFT for limit in met)


def test_budgets_are_what_calendars_count() -> None:
    """Those for which waiting is pointless."""
    assert {name for name, (kind, _) in FORMS.items() if kind in BUDGETS} == {
        name for name in LimitName if "_per_" in name
    }


def test_what_measures_the_cache_is_limited_for_the_tenant_as_a_whole() -> None:
    """Hard, in a scope of its own; where nothing is said, by nothing."""
    (limit,) = measuring_limits(0.5)
    assert (limit.scope, limit.mode, limit.amount) == (MEASURED, Mode.HARD, NANO // 2)
    assert measuring_limits(None) == ()
