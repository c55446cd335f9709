"""When a budget is nearly used up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.quota.budget_alert import Budgets, alerts_of
from app.domain.quota.calendar import days_around, hour_of, months_around
from app.domain.quota.limit import (
    NANO,
    LimitName,
    LimitRule,
    limit_of,
    measuring_limits,
    spill_limits,
)
from app.domain.quota.reservation import Amounts, Ask, Reservation
from tests.fakes.changed import replace

NOW = 1_790_000_000.0
DAYS, MONTHS = days_around(NOW), months_around(NOW)


def granted(*limits: tuple[LimitName, float, int]) -> Reservation:
    """A reservation that left so much of each limit."""
    rules = tuple(limit_of(LimitRule(name, amount), 0.0) for name, amount, _ in limits)
    ask = Ask("r", "t", ("tenant",), Amounts(1, 1, 1), rules, DAYS, MONTHS)
    left = tuple(each for _, _, each in limits)
    return Reservation(ask, "g", DAYS[1], MONTHS[1], left)


@pytest.mark.parametrize(
    ("left", "told"), [(21, []), (20, [0.8]), (10, [0.8]), (4, [0.95]), (-3, [0.95])]
)
def test_the_highest_threshold_is_told(left: int, told: list[float]) -> None:
    """Not before it is reached, and beyond the limit too."""
    alerts = alerts_of(granted((LimitName.TOKENS_PER_DAY, 100, left)), (0.8, 0.95))
    assert [alert.threshold for alert in alerts] == told


@given(
    amount=st.integers(0, 10**12),
    lefts=st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=5),
    thresholds=st.lists(st.floats(0, 1), max_size=3),
)
def test_what_is_known_at_once_is_what_is_found_by_looking(
    amount: int, lefts: list[int], thresholds: list[float]
) -> None:
    """Of many reservations with the same limits, whatever is left."""
    budgets = Budgets(thresholds)
    first = granted((LimitName.TPM, 10, 3), (LimitName.TOKENS_PER_DAY, amount, 0))
    for left in lefts:
        each = replace(first, left=(3, left))
        assert budgets.alerts(each) == alerts_of(each, thresholds)
    assert budgets.alerts(replace(first, left=())) == ()


@given(
    amount=st.integers(0, 1000),
    left=st.integers(-100, 1100),
    more=st.integers(0, 100),
    thresholds=st.lists(st.floats(0, 1), max_size=3),
)
def test_nothing_is_told_of_parts_where_nothing_is_of_their_lease(
    amount: int, left: int, more: int, thresholds: list[float]
) -> None:
    """They leave as much as the lease does, or more."""
    budgets = Budgets(thresholds)
    lease = granted((LimitName.TPM, 10, 3), (LimitName.TOKENS_PER_DAY, amount, left))
    part = replace(lease, left=(3, left + more))
    assert budgets.alerts(lease) or not budgets.alerts(part)


def test_only_budgets_are_told_of() -> None:
    """A full minute is nobody's budget; a limit of nothing is always full."""
    reservation = granted(
        (LimitName.RPM, 10, 0),
        (LimitName.CONCURRENCY, 10, 0),
        (LimitName.REQUESTS_PER_DAY, 0, 0),
        (LimitName.USD_PER_MONTH, 1, 0),
    )
    (alert,) = alerts_of(reservation, (0.8,))
    assert (alert.limit, alert.window) == (LimitName.USD_PER_MONTH, "2026-09")
    assert alert.identity == "2026-09:usd_per_month:tenant:0.8"


def test_a_spill_budget_is_told_of_like_the_others() -> None:
    """By its scope it is told from the tenant's own budget of that name."""
    ask = granted((LimitName.USD_PER_DAY, 10, 0)).ask.within(spill_limits(10))
    reservation = Reservation(ask, "g", DAYS[1], MONTHS[1], (10 * NANO, 2 * NANO))
    (alert,) = alerts_of(reservation, (0.8,))
    assert (alert.scope, alert.used, alert.amount) == ("spill", 8 * NANO, 10 * NANO)
    assert alert.identity == "2026-09-21:usd_per_day:spill:0.8"


def test_a_spill_budget_of_the_hour_is_told_of_once_an_hour() -> None:
    """The day's, of which less is used, is not."""
    ask = replace(granted().ask, limits=()).within(spill_limits(50, 5))
    hour = hour_of(DAYS[1], NOW)
    left = (NANO // 2, 45 * NANO)
    reservation = Reservation(ask, "g", DAYS[1], MONTHS[1], left, hour=hour)
    (alert,) = alerts_of(reservation, (0.8,))
    assert alert.identity == f"{hour.name}:usd_per_hour:spill:0.8"
    assert hour.name.startswith("2026-09-21T")


def test_what_is_left_is_not_known_while_degraded() -> None:
    """Then nothing is told."""
    ask = granted((LimitName.USD_PER_DAY, 1, 0)).ask
    assert alerts_of(Reservation(ask, "local", DAYS[1], MONTHS[1]), (0.8,)) == ()


def test_what_measures_the_cache_is_nobodys_budget() -> None:
    """To be used up is what it is there for."""
    ask = granted((LimitName.USD_PER_DAY, 10, 0)).ask.within(measuring_limits(10))
    reservation = Reservation(ask, "g", DAYS[1], MONTHS[1], (10 * NANO, 0))
    assert alerts_of(reservation, (0.8,)) == ()
