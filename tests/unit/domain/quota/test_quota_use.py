"""How full a tenant's limits are told to be, now and when nobody asks any more."""

from __future__ import annotations

import pytest

from app.domain.quota.limit import MEASURED, SPILLED, Kind, Limit, LimitName, Measure, Mode
from app.domain.quota.quota_use import QuotaUse, refused_use, uses_of
from app.domain.quota.reservation import Refusal
from tests.fakes.changed import replace
from tests.fakes.receipts import DAY, MONTH, reservation

RPM = Limit(LimitName.RPM, "tenant", Kind.WINDOW, Measure.REQUESTS, 100, window_ms=60_000)
DAILY = Limit(LimitName.USD_PER_DAY, "tenant", Kind.DAY, Measure.NANO_USD, 1000)
MONTHLY = Limit(LimitName.USD_PER_MONTH, "tenant", Kind.MONTH, Measure.NANO_USD, 1000)
AT_ONCE = Limit(LimitName.CONCURRENCY, "tenant", Kind.LIVE, Measure.REQUESTS, 10)
NOW = 1000.0


def used(limit: Limit, left: int) -> QuotaUse:
    """The only one."""
    ((_, use),) = uses_of(reservation(limit, left=(left,)), NOW)
    return use


def test_what_a_grant_leaves_is_what_is_not_used() -> None:
    """Above 1 where a soft limit was gone over."""
    assert used(RPM, 10).part_at(NOW) == pytest.approx(0.9)
    assert used(RPM, -20).part_at(NOW) == pytest.approx(1.2)


@pytest.mark.parametrize("limit", [RPM, AT_ONCE], ids=lambda limit: limit.name)
def test_a_rate_is_forgotten_within_its_window(limit: Limit) -> None:
    """A tenant that went silent does not stand at its last request's 90 % for ever."""
    use = used(limit, limit.amount // 2)
    found = [use.part_at(NOW + later) for later in (0, 15, 30, 60, 3600)]
    assert found == pytest.approx([0.5, 0.375, 0.25, 0.0, 0.0])
    assert use.part_at(NOW - 5) == pytest.approx(0.5), "clocks may step back"


def test_a_budget_stays_used_until_its_calendar_window_ends() -> None:
    """And not a second longer."""
    for limit, window in ((DAILY, DAY), (MONTHLY, MONTH)):
        use = used(limit, 250)
        assert use.part_at(window.ends / 1000 - 1) == 0.75
        assert use.part_at(window.ends / 1000) == 0.0


def test_a_spill_budget_is_told_apart_from_the_tenants_own() -> None:
    """Both are dollars a day."""
    spilled = Limit(LimitName.USD_PER_DAY, SPILLED, Kind.DAY, Measure.NANO_USD, 100)
    granted = reservation(DAILY, spilled, left=(900, 20))
    assert {name: use.part for name, use in uses_of(granted, NOW)} == {
        "usd_per_day": pytest.approx(0.1),
        "spill_usd_per_day": pytest.approx(0.8),
    }


def test_what_measures_the_cache_is_no_limit_of_the_tenants() -> None:
    """To use it up is its purpose; a limit of nothing has no part that is used."""
    measured = Limit(LimitName.USD_PER_DAY, MEASURED, Kind.DAY, Measure.NANO_USD, 100)
    nothing = Limit(LimitName.RPM, "tenant", Kind.WINDOW, Measure.REQUESTS, 0, window_ms=60_000)
    assert not list(uses_of(reservation(measured, nothing, left=(0, 0)), NOW))


def test_a_grant_without_the_account_tells_nothing() -> None:
    """Nobody knows what is left."""
    assert not list(uses_of(reservation(RPM, degraded="local_share"), NOW))


def test_what_refuses_is_used_up() -> None:
    """However little of it would be left: what was asked for does not fit."""
    ask = reservation().ask
    refused = refused_use(ask, Refusal(DAILY, used=900, asked=200, wait_s=None), NOW)
    assert refused is not None
    assert refused.part_at(NOW) == pytest.approx(1.1)
    assert refused.part_at(DAY.ends / 1000) == 0.0
    at_once = refused_use(ask, Refusal(AT_ONCE, used=10, asked=1, wait_s=0.1), NOW)
    assert at_once is not None
    assert at_once.part_at(NOW + 60) == 0.0
    measured = Limit(LimitName.USD_PER_DAY, MEASURED, Kind.DAY, Measure.NANO_USD, 100)
    assert refused_use(ask, Refusal(measured, used=99, asked=2, wait_s=None), NOW) is None


def test_a_spill_budget_that_holds_a_request_back_is_used_up() -> None:
    """It refuses nothing, and nothing was taken of it."""
    spilled = Limit(LimitName.USD_PER_DAY, SPILLED, Kind.DAY, Measure.NANO_USD, 100, Mode.SPILL)
    granted = replace(reservation(DAILY, spilled, left=(900, 2)), over=(1,))
    assert dict(uses_of(granted, NOW))["spill_usd_per_day"].part == 1.0
