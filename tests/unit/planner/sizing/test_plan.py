"""A plan finds what is known to be best."""

from __future__ import annotations

import pytest

from app.domain.capacity.provisioned import PtuCapacity
from app.planner.sizing.costs import PayGo, Term
from app.planner.sizing.plan import PtuPlan, Question, Sizes, plan
from app.planner.sizing.traffic import Recorded

DAY = 86_400
#: A PTU does a thousand tokens a minute.
CAPACITY = PtuCapacity(1000 / 60, output_ratio=4.0)
PAYGO = PayGo(input=10.0, cached_input=10.0, output=40.0)
SIZES = Sizes(minimum=15, increment=5)


def question(*hourly: float, sizes: Sizes = SIZES) -> Question:
    terms = tuple(Term(f"at {usd}", usd) for usd in hourly)
    return Question(CAPACITY, sizes, PAYGO, terms)


def steady(tokens_per_minute: int, days: int = 3, tenant: str = "") -> list[Recorded]:
    """Every six seconds a tenth of it, without an answer."""
    every, prompt = 6, tokens_per_minute // 10
    moments = range(0, days * DAY, every)
    return [Recorded(float(at), 0.5, prompt, 0, 0, 0, tenant) for at in moments]


def chosen(found: PtuPlan) -> list[int]:
    return [each.option.ptus for each in found.recommendations]


def test_the_optimum_of_a_steady_traffic() -> None:
    """42,000 tokens a minute keep 42 PTUs busy: 45 are the first that are sold and hold it.

    A full PTU's hour is worth 60,000 tokens, 0.60 dollars of PAYGO. For 0.50 it pays to have 40,
    always full, and the last five, 40 % busy, do not pay; for 0.20 they do; for 0.70 none does.
    """
    found = plan(question(0.50, 0.20, 0.70), steady(42_000))
    assert chosen(found) == [40, 45, 0]
    (option,) = [each for each in found.options if each.ptus == 45]
    assert (option.spilled, option.refused) == (0, 0)
    assert option.utilization == pytest.approx(42 / 45, rel=0.001)
    (busy,) = [each for each in found.options if each.ptus == 40]
    assert busy.spilled_share == pytest.approx(2 / 42, rel=0.05)
    assert busy.utilization == pytest.approx(1.0, rel=0.001)


def test_that_days_alike_leave_no_doubt() -> None:
    """And what is found is told with the hours of its week and its break-even."""
    found = plan(question(0.50), steady(42_000))
    (recommendation,) = found.recommendations
    assert recommendation.confidence == {40: 1.0}
    assert recommendation.break_even == pytest.approx(0.5 / 0.6, rel=0.001)
    assert recommendation.hours.utilization[72] == pytest.approx(1.0, rel=0.05)  # a Thursday
    assert (found.requests, found.days) == (43_200, 3)
    assert found.tokens == 43_200 * 4200


def test_that_steps_and_the_fewest_are_kept_to() -> None:
    """Regional deployments are sold by the fifty; a limit on what there is holds, too."""
    coarse = plan(question(0.20, sizes=Sizes(50, 50)), steady(42_000))
    assert [each.ptus for each in coarse.options] == [0, 50]
    few = plan(question(0.20, sizes=Sizes(15, 5, most=20)), steady(42_000))
    assert [each.ptus for each in few.options] == [0, 15, 20]


def test_that_large_numbers_are_thinned_and_then_looked_at_closely() -> None:
    """Of the 80 numbers up to 4,000 some are replayed, and those beside the best."""
    told: list[int] = []
    found = plan(question(0.20, sizes=Sizes(50, 50)), steady(3_990_000, days=1), told.append)
    assert chosen(found) == [4000]
    assert told == list(range(1, len(told) + 1))
    assert {3950, 4000} <= {each.ptus for each in found.options}
    assert len(found.options) < 50


def test_that_no_traffic_is_no_plan() -> None:
    """It would divide by nothing."""
    with pytest.raises(ValueError, match="no traffic"):
        plan(question(1.0), [])


@pytest.mark.parametrize(("asked", "sold"), [(0, 15), (15, 15), (15.1, 20), (21, 25), (99, 60)])
def test_what_is_sold(asked: float, sold: int) -> None:
    """The fewest, then in steps, up to what there is."""
    assert Sizes(15, 5, most=60).at_least(asked) == sold
