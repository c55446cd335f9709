"""Of each tenant and limit the fullest scope is told."""

from __future__ import annotations

import pytest

from app.adapters.metrics.names import TenantLabels
from app.adapters.metrics.quota import QuotaUses
from app.domain.quota.limit import Kind, Limit, LimitName, Measure
from app.domain.quota.reservation import Refusal, Reservation
from tests.fakes.clock import FakeClock
from tests.fakes.receipts import reservation


def granted(left: int, *, tenant: str = "search", scope: str = "tenant") -> Reservation:
    """With so much left of 100 requests a minute."""
    limit = Limit(LimitName.RPM, scope, Kind.WINDOW, Measure.REQUESTS, 100, window_ms=60_000)
    return reservation(limit, left=(left,), tenant=tenant)


def uses(at_most: int = 10) -> tuple[QuotaUses, FakeClock]:
    clock = FakeClock()
    return QuotaUses(TenantLabels(at_most), clock), clock


def test_news_of_a_scope_replace_what_was_known_of_it() -> None:
    """Also where there is more room than before."""
    quota, _ = uses()
    quota.watch(granted(10))
    quota.watch(granted(60))
    assert quota.read() == {("search", "rpm"): pytest.approx(0.4)}


def test_the_fullest_scope_is_told() -> None:
    """Until it has faded below another one."""
    quota, clock = uses()
    quota.watch(granted(10, scope="key:k1"))
    quota.watch(granted(60))
    assert quota.read() == {("search", "rpm"): pytest.approx(0.9)}
    clock.advance(40)
    quota.watch(granted(60))
    assert quota.read() == {("search", "rpm"): pytest.approx(0.4)}


def test_of_tenants_without_a_place_the_fullest_is_told() -> None:
    """They share one series, and not each other's scopes."""
    quota, _ = uses(at_most=1)
    quota.watch(granted(90))
    quota.watch(granted(20, tenant="b"))
    quota.watch(granted(70, tenant="c"))
    assert quota.read() == {
        ("search", "rpm"): pytest.approx(0.1),
        ("other", "rpm"): pytest.approx(0.8),
    }


def test_a_silent_tenant_fades_to_nothing() -> None:
    """Its series stays, at 0."""
    quota, clock = uses()
    quota.watch(granted(0))
    clock.advance(60)
    assert quota.read() == {("search", "rpm"): 0.0}


def test_a_limit_that_refuses_is_full_until_it_grants_again() -> None:
    """What is granted in the same scope afterwards is news."""
    quota, _ = uses()
    quota.watch(granted(10))
    limit = granted(10).ask.limits[0]
    quota.refused(granted(10).ask, Refusal(limit, used=95, asked=20, wait_s=1.0))
    assert quota.read() == {("search", "rpm"): pytest.approx(1.15)}
    quota.watch(granted(5))
    assert quota.read() == {("search", "rpm"): pytest.approx(0.95)}
