"""What is asked for, granted and refused."""

from __future__ import annotations

import pytest

from app.domain.calendar import days_around, months_around
from app.domain.limit import LimitName, LimitRule, Measure, Mode, limit_of
from app.domain.reservation import Amounts, Ask, Refusal, Reservation

DAYS, MONTHS = days_around(0.0), months_around(0.0)
LIMITS = tuple(
    limit_of(LimitRule(LimitName.TPM, 1, mode), 0.0) for mode in (Mode.HARD, Mode.SOFT, Mode.SHADOW)
)
ASK = Ask("r", "t", ("tenant",), Amounts(1, 2, 3), LIMITS, DAYS, MONTHS)


def test_amounts_are_read_by_measure() -> None:
    """Each its own."""
    assert [ASK.amounts.of(measure) for measure in Measure] == [1, 2, 3]


def test_flags_name_what_it_went_over() -> None:
    """Soft limits are told to the caller, shadow ones are not."""
    granted = Reservation(ASK, "g", DAYS[1], MONTHS[1], over=(1, 2), degraded="local_share")
    assert granted.flags == ("soft:tpm", "shadow:tpm", "degraded")
    assert granted.soft == ("tpm",)
    assert Reservation(ASK, "g", DAYS[1], MONTHS[1]).flags == ()


def test_the_same_can_be_asked_at_another_time() -> None:
    """Of the same tenant, by the same name."""
    later = ASK.at(days_around(10**9), months_around(10**9))
    assert (later.id, later.limits) == (ASK.id, ASK.limits)
    assert later.days != ASK.days


@pytest.mark.parametrize(
    ("name", "is_budget"),
    [
        (LimitName.RPS, False),
        (LimitName.CONCURRENCY, False),
        (LimitName.REQUESTS_PER_DAY, True),
        (LimitName.USD_PER_MONTH, True),
    ],
)
def test_budgets_are_told_from_rates(name: LimitName, *, is_budget: bool) -> None:
    """SDKs should come back for the one and not for the other."""
    limit = limit_of(LimitRule(name, 1), 0.0)
    assert Refusal(limit, 1, 1, None).is_budget is is_budget
