"""Which leases' parts are looked at for alerts."""

from __future__ import annotations

from typing import cast

import pytest

from app.adapters.alerts.budget_alerts import BudgetAlerts
from app.adapters.alerts.webhook import Webhook
from app.domain.quota.calendar import days_around, months_around
from app.domain.quota.limit import NANO, LimitName, LimitRule, limit_of
from app.domain.quota.reservation import Amounts, Ask, Reservation

DAYS, MONTHS = days_around(0.0), months_around(0.0)
LIMITS = (limit_of(LimitRule(LimitName.USD_PER_DAY, 10.0), 0.0),)


@pytest.mark.parametrize(("left_usd", "may_come"), [(2.01, False), (2.0, True), (0.5, True)])
def test_parts_are_looked_at_from_the_threshold_on(left_usd: float, *, may_come: bool) -> None:
    """At 80 % exactly, too: each part leaves as much as its lease, and what was granted of it."""
    alerts = BudgetAlerts(cast("Webhook", None), [0.8])
    ask = Ask("lease", "acme", ("tenant",), Amounts(10, 100, NANO), LIMITS, DAYS, MONTHS)
    lease = Reservation(ask, "g", DAYS[1], MONTHS[1], (round(left_usd * NANO),))
    assert alerts.may_come(lease) is may_come
