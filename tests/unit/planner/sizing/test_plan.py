"""A plan finds what is known to be best."""

from __future__ import annotations

import pytest

from app.domain.capacity.provisioned import PtuCapacity
from app.planner.sizing.costs import PayGo, Term
from app.planner.sizing.plan import PtuPlan, Question, Sizes, plan, plan_all
from app.planner.sizing.traffic import Recorded
from tests.fakes.changed import replace

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


def month() -> list[Recorded]:
    """Thirty days: by day 42,000 tokens a minute, by night 17,000."""
    every = 20
    return [
        Recorded(float(at), 0.5, (14_000 if 6 <= at / 3600 % 24 < 18 else 5667), 0, 0, 0)
        for at in range(0, 30 * DAY, every)
    ]


def test_the_optimum_of_a_month_of_days_and_nights() -> None:
    """By hand: a full PTU's hour is worth 0.60 dollars, and one more pays while it is busy enough.

    The first 15 are always full. Of the next five two are, and three by day alone: 0.7 busy, worth
    0.42. From 20 to 40 they are full by day, worth 0.30. Of the last five two are full by day:
    0.2 busy, worth 0.12.
    """
    found = plan(question(0.70, 0.50, 0.35, 0.25, 0.10), month())
    assert chosen(found) == [0, 15, 20, 40, 45]
    assert all(each.confidence == {each.option.ptus: 1.0} for each in found.recommendations)
    (forty,) = [each for each in found.options if each.ptus == 40]
    assert forty.spilled_share == pytest.approx(0.5 * 2 / 42, abs=0.005)


def test_numbers_that_were_asked_for() -> None:
    """They are told of however much is spilled, or however idle they are."""
    asked = replace(question(0.50), also=(17, 60))
    found = plan(asked, steady(42_000, days=1))
    assert {17, 60} <= {each.ptus for each in found.options}
    (few,) = [each for each in found.options if each.ptus == 17]
    assert few.wait_s > 0
    assert found.asked == (17, 60)


def test_that_variants_are_told_beside_the_plan() -> None:
    """Each as a plan of its own would find it, of one replay for each number of PTUs."""
    traffic = steady(42_000, days=1)
    variants = {"global": question(0.20), "regional": question(0.20, sizes=Sizes(50, 50))}
    told: list[int] = []
    found = plan_all(question(0.20), variants, traffic, told.append)
    assert [(each.kind, each.ptus) for each in found.variants] == [("global", 45), ("regional", 50)]
    (alone,) = plan(variants["regional"], traffic).recommendations
    assert found.variants[1].usd == alone.option.costs[alone.term].usd
    assert found.variants[1].sure == 1.0
    assert replace(found, variants=()) == plan(question(0.20), traffic)
    assert told == sorted(set(told))
    with pytest.raises(ValueError, match="no traffic"):
        plan_all(question(0.20), variants, [])
