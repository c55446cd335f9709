"""What PTUs and spilling cost, by hand."""

from __future__ import annotations

import pytest

from app.domain.capacity.provisioned import PtuCapacity
from app.planner.sizing.costs import Cost, Days, PayGo, Term, best, break_even, confidence, cost
from app.planner.sizing.replay import Replayed, Weighed, weighed
from app.planner.sizing.traffic import Recorded

DAY = 86_400.0
PRICE = PayGo(input=2.5, cached_input=1.25, output=10.0)
CAPACITY = PtuCapacity(2500 / 60, 4.0)
MONTH = Term("month", 0.5)


def traffic(*days: int) -> Weighed:
    """On each day a request of a thousand tokens, 400 of them cached, and 100 written."""
    return weighed((Recorded(day * DAY + 60, 5.0, 1000, 400, 100) for day in days), CAPACITY)


def test_that_a_request_costs_what_the_docs_say() -> None:
    """600 at 2.50, 400 at 1.25 and 100 at 10 dollars a million: 0.3 cents."""
    assert PRICE.usd(Recorded(0.0, 1.0, 1000, 400, 100)) == pytest.approx(0.003)


def test_that_ptus_are_paid_for_idle_days_too() -> None:
    """Three days between the first and the last, two with a request: one of them spilled."""
    days = Days.of(traffic(10, 12), PRICE)
    found = cost(Replayed(2, 100.0, bytearray([1, 0])), days, MONTH)
    assert found.ptu_usd == 2 * 0.5 * 24 * 3
    assert found.spill_usd == pytest.approx(0.003)
    assert found.by_day == pytest.approx((24.0, 24.0, 24.003))
    assert found.usd == pytest.approx(sum(found.by_day))


def test_that_of_equals_the_smaller_is_best() -> None:
    """Fewer PTUs are easier to come by."""
    costs = [Cost(ptus, 5.0, 1.0, (6.0,)) for ptus in (30, 15, 50)]
    assert best(costs).ptus == 15
    assert best([*costs, Cost(100, 1.0, 1.0, (2.0,))]).ptus == 100


def test_that_confidence_is_sure_where_every_day_agrees() -> None:
    """And divided where days do not; it adds up to one, and is the same again by its seed."""
    agreed = [Cost(0, 0.0, 9.0, (4.0, 5.0)), Cost(15, 6.0, 0.0, (3.0, 3.0))]
    assert confidence(agreed, resamples=50, seed=1) == {15: 1.0}
    divided = [Cost(0, 0.0, 8.0, (1.0, 7.0)), Cost(15, 8.0, 0.0, (4.0, 4.0))]
    found = confidence(divided, resamples=400, seed=1)
    # Of two days drawn: both the first, a quarter; both the second, a quarter; else equal, so none.
    assert found == confidence(divided, resamples=400, seed=1)
    assert sum(found.values()) == pytest.approx(1.0)
    assert found[15] == pytest.approx(0.25, abs=0.07)


def test_the_break_even_by_hand() -> None:
    """1,000 tokens' worth saves 0.3 cents; PTUs of 24 dollars need 8 million a day of 17.28."""
    days, recorded = Days.of(traffic(0), PRICE), traffic(0)
    served = Replayed(2, 200.0, bytearray([1]))
    assert recorded.used[0] == 1000.0
    assert break_even(served, recorded, days, MONTH) == pytest.approx(8e6 / (200 * DAY))
    assert break_even(served, recorded, days, Term("hour", 5.0)) is None
    assert break_even(Replayed(0, 0.0, bytearray(1)), recorded, days, MONTH) is None
