from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import product

import pytest

from app.domain.quota.anomaly import (
    HOUR_S,
    AnomalyRules,
    Expectation,
    History,
    UsageMeasure,
    expectations,
    slot_of,
    value_of,
)
from app.domain.quota.reservation import Amounts
from tests.fakes.traffic import BERLIN, FIRST_HOUR, LEVELS, WEEK, Traffic, batch, office, site

RULES = AnomalyRules()
MONDAY_TEN = 10  # hour of the week, in Berlin


def times(amounts: Amounts, factor: float) -> Amounts:
    return Amounts(*(int(factor * each) for each in (
        amounts.requests, amounts.tokens, amounts.nano_usd
    )))  # fmt: skip


def expected(hours: Sequence[Amounts], index: int) -> dict[UsageMeasure, Expectation]:
    """For the hour at an index, by up to eight weeks before it."""
    before = hours[max(0, index - RULES.history_weeks * WEEK) : index]
    return expectations(before, FIRST_HOUR + index, BERLIN, RULES)


def scores(
    hours: Sequence[Amounts], index: int, amounts: Amounts | None = None
) -> dict[UsageMeasure, float]:
    """Of the hour at an index, or of others in its place."""
    asked = amounts or hours[index]
    found = expected(hours, index)
    return {each: found[each].score(value_of(asked, each)) for each in found}


def index_of(slot: int, week: int) -> int:
    """Of an hour of the week in Berlin, in summer."""
    return week * WEEK + slot - 2


@pytest.mark.parametrize(
    ("level", "slot"),
    [
        ("office", MONDAY_TEN),
        ("office", 3 * 24 + 15),
        ("site", MONDAY_TEN),
        ("site", 6 * 24 + 11),
        ("batch", 5 * 24 + 2),
    ],
)
def test_that_a_tenfold_hour_is_found(level: str, slot: int) -> None:
    """Whatever the tenant and the day; in requests, tokens and dollars."""
    hours = Traffic(LEVELS[level]).hours(10)
    index = index_of(slot, 9)
    assert min(scores(hours, index, times(hours[index], 10)).values()) > RULES.score


def test_that_a_normal_monday_morning_is_none() -> None:
    """Though it is a hundred times the hour of Sunday, and of a day's average several."""
    hours = Traffic(office).hours(12)
    mondays = [index_of(MONDAY_TEN, week) for week in range(4, 12)]
    assert max(max(scores(hours, index).values()) for index in mondays) < RULES.score
    sunday = index_of(6 * 24 + 10, 9)
    found = expected(hours, sunday)[UsageMeasure.REQUESTS]
    assert found.score(hours[mondays[-1]].requests) > RULES.score, "on a Sunday it would be one"


def test_that_false_alarms_are_few() -> None:
    """At a noise of 40 %, whatever the kind of tenant: at most two hours in a thousand."""
    alarms = looked_at = 0
    for level, seed in product(LEVELS.values(), (1, 2)):
        hours = Traffic(level, noise=0.4, seed=seed).hours(10)
        for index in range(3 * WEEK, 10 * WEEK, 7):
            looked_at += 1
            alarms += any(score >= RULES.score for score in scores(hours, index).values())
    assert looked_at > 1000
    assert alarms / looked_at <= 2 / 1000


def test_that_one_spike_does_not_mask_the_next() -> None:
    """A week ago the same hour had a hundredfold: what is robust takes no notice."""
    hours = Traffic(office).hours(10)
    index = index_of(MONDAY_TEN, 9)
    clean = scores(hours, index, times(hours[index], 10))
    hours[index - WEEK] = times(hours[index - WEEK], 100)
    masked = scores(hours, index, times(hours[index], 10))
    for measure in UsageMeasure:
        assert masked[measure] > RULES.score
        assert masked[measure] > 0.7 * clean[measure]


@pytest.mark.parametrize("level", [office, batch])
def test_that_a_change_of_clocks_is_none(level: object) -> None:
    """For who lives by local time, and for who goes on by UTC: an hour beside counts, too."""
    autumn = int(datetime(2026, 10, 25, 1, tzinfo=UTC).timestamp()) // HOUR_S
    for zone in (BERLIN, UTC):
        hours = Traffic(level, zone=zone).hours(14)  # type: ignore[arg-type]  # one of LEVELS
        change = autumn - FIRST_HOUR
        found = [scores(hours, index) for index in range(change - 24, change + WEEK)]
        assert max(max(each.values()) for each in found) < RULES.score


def test_that_a_new_tenant_is_not_judged() -> None:
    """For a week nothing is known; then by hours of the day, later by those of the week."""
    hours = Traffic(office).hours(6)
    assert expected(hours, index_of(MONDAY_TEN, 0) + 5 * 24) == {}
    by_day = expected(hours, index_of(MONDAY_TEN, 1))[UsageMeasure.REQUESTS]
    assert (by_day.history, by_day.samples) == (History.DAY, 7)
    by_week = expected(hours, index_of(MONDAY_TEN, 4))[UsageMeasure.REQUESTS]
    assert (by_week.history, by_week.samples) == (History.WEEK, 4)
    tenfold = times(hours[index_of(MONDAY_TEN, 1)], 10)
    assert min(scores(hours, index_of(MONDAY_TEN, 1), tenfold).values()) > RULES.score


def test_that_a_silent_tenant_may_ask_a_little() -> None:
    """Its deviation is zero: less than `least` is no anomaly, a lot is."""
    silence = [Amounts()] * (8 * WEEK)
    few = scores(silence, 8 * WEEK, Amounts(150, 400_000, 4 * 10**9))
    many = scores(silence, 8 * WEEK, Amounts(250, 600_000, 6 * 10**9))
    assert max(few.values()) < RULES.score
    assert min(many.values()) > RULES.score
    assert set(scores(silence, 8 * WEEK, Amounts()).values()) == {0.0}


def test_that_falling_silent_is_a_negative_score() -> None:
    """A site that nobody reaches any more; the size tells, the sign says which way."""
    hours = Traffic(lambda slot: 100 * site(slot), noise=0.1).hours(9)
    found = scores(hours, 9 * WEEK - 1, Amounts())
    assert max(found.values()) < -4


def test_that_steady_usage_may_grow_by_half() -> None:
    """Without any noise the deviation is a tenth of the median."""
    steady = [Amounts(10_000, 10**7, 10**11)] * (8 * WEEK)
    more = times(steady[0], 1.4)
    assert max(scores(steady, 8 * WEEK, more).values()) == pytest.approx(4.0)


def test_that_hours_of_the_week_are_local() -> None:
    """Monday midnight is the first, there."""
    monday = int(datetime(2026, 11, 23, tzinfo=BERLIN).timestamp()) // HOUR_S
    assert (slot_of(monday, BERLIN), slot_of(monday, UTC)) == (0, 167)
    summer_begins = int(datetime(2026, 3, 29, 1, tzinfo=UTC).timestamp()) // HOUR_S
    assert slot_of(summer_begins - 1, BERLIN) == 6 * 24 + 1
    assert slot_of(summer_begins, BERLIN) == 6 * 24 + 3
