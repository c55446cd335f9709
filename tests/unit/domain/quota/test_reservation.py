"""What a reservation says about itself."""

from __future__ import annotations

import pytest

from app.domain.quota.calendar import days_around, hour_of, months_around
from app.domain.quota.limit import (
    SPILLED,
    Kind,
    LimitName,
    LimitRule,
    Measure,
    Mode,
    limit_of,
    scopes_of,
    spill_limits,
)
from app.domain.quota.reservation import Amounts, Ask, Refusal, Reservation
from tests.fakes.changed import replace

NOW = 1_790_000_000.0
DAYS, MONTHS = days_around(NOW), months_around(NOW)
LIMITS = (
    limit_of(LimitRule(LimitName.RPM, 5), NOW),
    limit_of(LimitRule(LimitName.TPM, 5, Mode.SOFT), NOW),
    limit_of(LimitRule(LimitName.USD_PER_DAY, 5, Mode.SHADOW), NOW),
)
ASK = Ask("r1", "t", scopes_of("k", "m"), Amounts(1, 20, 300), LIMITS, DAYS, MONTHS)
GRANTED = Reservation(ASK, "g1", DAYS[1], MONTHS[1])


def test_amounts_are_found_by_measure() -> None:
    """Every measure has its amount."""
    assert [ASK.amounts.of(measure) for measure in Measure] == [1, 20, 300]


def test_an_ask_at_another_time_is_the_same_ask() -> None:
    """Only the windows differ: its id makes asking twice the same as asking once."""
    days, months = days_around(NOW + 86_400), months_around(NOW + 86_400)
    later = ASK.at(days, months)
    assert (later.days, later.months) == (days, months)
    assert replace(later, days=DAYS, months=MONTHS) == ASK


@pytest.mark.parametrize(
    ("over", "degraded", "flags", "soft"),
    [
        ((), None, (), ()),
        ((1,), None, ("soft:tpm",), ("tpm",)),
        ((1, 2), None, ("soft:tpm", "shadow:usd_per_day"), ("tpm",)),
        ((2,), "local_share", ("shadow:usd_per_day", "degraded"), ()),
    ],
)
def test_it_tells_what_was_odd(
    over: tuple[int, ...], degraded: str | None, flags: tuple[str, ...], soft: tuple[str, ...]
) -> None:
    """The ledger hears of every limit it went over, the caller of soft ones alone."""
    granted = replace(GRANTED, over=over, degraded=degraded)
    assert (granted.flags, granted.soft) == (flags, soft)


def test_who_is_over_a_spill_budget_stays_out_of_its_scope() -> None:
    """Nothing is held there; the ledger hears of it, the caller does not."""
    ask = ASK.within(spill_limits(5))
    assert ask.scopes == (*ASK.scopes, SPILLED)
    allowed, kept_back = (Reservation(ask, "g1", DAYS[1], MONTHS[1], over=o) for o in ((), (3,)))
    assert (allowed.may_spill, allowed.scopes_held) == (True, ask.scopes)
    assert (kept_back.may_spill, kept_back.scopes_held) == (False, ASK.scopes)
    assert (kept_back.flags, kept_back.soft) == (("spill:usd_per_day",), ())


@pytest.mark.parametrize(
    ("over", "again"), [((), None), ((3,), Kind.HOUR), ((4,), Kind.DAY), ((3, 4), Kind.DAY)]
)
def test_who_may_not_spill_may_when_the_last_spent_budget_is_new(
    over: tuple[int, ...], again: Kind | None
) -> None:
    """The hour's or the day's; other limits that it is over say nothing of that."""
    ask, hour = ASK.within(spill_limits(50, 5)), hour_of(DAYS[1], NOW)
    granted = Reservation(ask, "g1", DAYS[1], MONTHS[1], over=(1, *over), hour=hour)
    assert (granted.window(Kind.HOUR), granted.window(Kind.MONTH)) == (hour, MONTHS[1])
    assert granted.spills_again == (granted.window(again).ends if again else 0)
    assert granted.may_spill is (again is None)


@pytest.mark.parametrize("ask", [ASK, ASK.within(spill_limits(5))], ids=["unlimited", "limited"])
def test_what_was_spilled_is_charged_as_that(ask: Ask) -> None:
    """Whether there is a budget for it or not: one that is set later knows the past."""
    granted = Reservation(ask, "g1", DAYS[1], MONTHS[1])
    assert granted.scopes_charged(spilled=True) == (*ASK.scopes, SPILLED)
    assert granted.scopes_charged(spilled=False) == ASK.scopes


@pytest.mark.parametrize(("index", "is_budget"), [(0, False), (1, False), (2, True)])
def test_a_refusal_knows_a_budget_from_a_rate(index: int, *, is_budget: bool) -> None:
    """OpenAI has a code for each."""
    assert Refusal(LIMITS[index], used=5, asked=1, wait_s=None).is_budget is is_budget
