"""The order in which deployments are tried."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.capacity.room import Room
from app.domain.capacity.spill import SpillReason
from app.domain.routing.deployment import Target, Tiers
from app.domain.routing.route import (
    NEVER,
    Absence,
    Affinity,
    Candidate,
    Choices,
    Outlook,
    RoutePlan,
    plan_route,
)

NOW = 1000.0
names = st.sampled_from([f"d{number}" for number in range(9)])
targets = st.builds(Target, names, st.floats(0.001, 1000))
tiers_of_any_kind = st.lists(
    st.lists(targets, min_size=1, max_size=4).map(tuple), min_size=1, max_size=4
).map(tuple)
boards = st.dictionaries(names, st.floats(NOW - 100, NOW + 100))
seeds = st.integers(0, 1 << 32)


def plan(tiers: Tiers, holds: Mapping[str, float] | None = None, seed: int = 7) -> RoutePlan:
    return planned(tiers, holds or {}, random.Random(seed).random)


def planned(tiers: Tiers, holds: Mapping[str, float], draw: Callable[[], float]) -> RoutePlan:
    """The plan where all that is known is holds."""
    outlooks = {name: Outlook(Room(until, SpillReason.HELD)) for name, until in holds.items()}
    return plan_route(Choices(tiers), outlooks, now=NOW, draw=draw)


def test_who_is_not_kept_is_absent_for_policy() -> None:
    """It is asked for by tier; absences there were stay, and an emptied tier keeps its place."""
    before = Absence("gone", 0, SpillReason.POLICY, NEVER)
    a, b = Target("a"), Target("b", 3.0)
    choices = Choices(((a,), (a, b)), (before,))
    left = choices.only(lambda tier, target: (tier, target) == (1, b))
    assert left.tiers == ((), (b,))
    now_absent = (Absence("a", tier, SpillReason.POLICY, NEVER) for tier in (0, 1))
    assert left.absences == (before, *now_absent)
    assert choices.only(lambda _tier, _target: True) == choices


def test_without_a_spill_budget_the_first_tier_is_left() -> None:
    """The others are absent for policy, for as long as nobody knows; the plan says why."""
    choices = Choices(((Target("a"), Target("b")), (Target("c"),), (Target("d"),)))
    kept = choices.without_spill()
    assert kept.names == (("a", "b"), (), ())
    assert kept.absences == tuple(
        Absence(name, tier, SpillReason.POLICY, NEVER) for name, tier in (("c", 1), ("d", 2))
    )
    made = plan_route(kept, {}, now=NOW, draw=lambda: 0.5)
    assert made.spill_spent
    assert {each.deployment for each in made.candidates} == {"a", "b"}


@pytest.mark.parametrize(
    "tiers", [((Target("a"),),), ((Target("a"),), ()), ((Target("a"),), (), ())]
)
def test_who_cannot_spill_misses_no_budget(tiers: Tiers) -> None:
    """There is nothing to leave out, and so nothing to say."""
    choices = Choices(tiers)
    assert not choices.may_leave_first
    assert choices.without_spill() == choices


@given(tiers_of_any_kind, boards, seeds)
def test_no_held_deployment_is_a_candidate(
    tiers: Tiers, holds: Mapping[str, float], seed: int
) -> None:
    """A hold always wins, and says of itself until when it lasts."""
    made = plan(tiers, holds, seed)
    assert all(holds.get(candidate.deployment, 0.0) <= NOW for candidate in made.candidates)
    for absence in made.absences:
        assert absence.until == holds[absence.deployment] > NOW
        assert absence.reason is SpillReason.HELD


@given(tiers_of_any_kind, boards, seeds)
def test_tiers_are_tried_in_their_order(
    tiers: Tiers, holds: Mapping[str, float], seed: int
) -> None:
    """Weights and chance never put a later tier before an earlier one."""
    order = [candidate.tier for candidate in plan(tiers, holds, seed).candidates]
    assert order == sorted(order)


@given(tiers_of_any_kind, boards, seeds)
def test_every_target_is_accounted_for(tiers: Tiers, holds: Mapping[str, float], seed: int) -> None:
    """Each is a candidate or absent for a reason; the plan is empty only if all are held."""
    made = plan(tiers, holds, seed)
    places: list[Candidate | Absence] = [*made.candidates, *made.absences]
    planned = Counter((place.deployment, place.tier) for place in places)
    configured = Counter(
        (target.deployment, tier) for tier, group in enumerate(tiers) for target in group
    )
    assert planned == configured
    held = all(holds.get(name, 0.0) > NOW for name, _ in configured)
    assert (not made.candidates) == held


def test_a_hold_that_ends_now_is_over() -> None:
    """At its end a deployment may be asked."""
    tiers = ((Target("a"),),)
    assert plan(tiers, {"a": NOW}).candidates == (Candidate("a", 0),)
    assert not plan(tiers, {"a": NOW + 0.001}).candidates


def test_a_held_ptu_lets_the_next_tier_serve() -> None:
    """The plan says what was passed and why."""
    tiers = ((Target("ptu"),), (Target("paygo"),))
    made = plan(tiers, {"ptu": NOW + 5})
    assert made.candidates == (Candidate("paygo", 1),)
    assert made.absences == (Absence("ptu", 0, SpillReason.HELD, NOW + 5),)


@pytest.mark.parametrize("weights", [(1.0, 1.0), (3.0, 1.0), (8.0, 1.0, 1.0)])
def test_weights_decide_who_is_first(weights: tuple[float, ...]) -> None:
    """Over many draws each is first in proportion to its weight, within three percent."""
    tier = tuple(Target(f"d{number}", weight) for number, weight in enumerate(weights))
    draw = random.Random(20_260_101).random
    rounds = 10_000
    first = Counter(planned((tier,), {}, draw).candidates[0].deployment for _ in range(rounds))
    for target in tier:
        expected = target.weight / sum(weights)
        assert first[target.deployment] / rounds == pytest.approx(expected, abs=0.03)


def test_weights_decide_who_is_next_among_the_rest() -> None:
    """When the first is held, the others share in proportion to their own weights."""
    tier = (Target("a", 8.0), Target("b", 3.0), Target("c", 1.0))
    draw = random.Random(5).random
    first = Counter(
        planned((tier,), {"a": NOW + 1}, draw).candidates[0].deployment for _ in range(10_000)
    )
    assert first["b"] / 10_000 == pytest.approx(0.75, abs=0.03)


@given(st.floats(0, 1, exclude_max=True))
def test_any_draw_will_do(drawn: float) -> None:
    """The ends of the interval are no exception."""
    tiers = ((Target("a", 2.0), Target("b")), (Target("c"),))
    made = planned(tiers, {}, lambda: drawn)
    assert [candidate.tier for candidate in made.candidates] == [0, 0, 1]


def test_a_candidate_has_what_ranked_it() -> None:
    """Its weight while it recovers, how long its next request waits, whose cache is warm."""
    tiers = ((Target("a", 4.0), Target("b")),)
    outlooks = {"a": Outlook(Room(NOW, utilization=0.9), 0.5)}
    made = plan_route(
        Choices(tiers), outlooks, now=NOW, draw=lambda: 0.5, affinity=Affinity(b"k", warm="b")
    )
    ranked = {each.deployment: (each.weight, each.wait_s, each.is_warm) for each in made.candidates}
    assert ranked == {"a": (2.0, pytest.approx(6.0), False), "b": (1.0, 0.0, True)}


def test_what_is_left_to_others_has_no_room() -> None:
    """It is absent for that, once; what else the plan says stays."""
    first, second = Candidate("a", 0, 0.9), Candidate("b", 1)
    held = Absence("c", 1, SpillReason.HELD, NOW + 5)
    left = RoutePlan((first, second), (held,), spill_spent=True).leaving({"a"}, NOW)
    taken = Absence("a", 0, SpillReason.PREDICTED, NOW, 0.9)
    assert left == RoutePlan((second,), (taken, held), spill_spent=True)
    doubtful = Absence("b", 1, SpillReason.PREDICTED, NOW + 1)
    vague = RoutePlan((second,), (doubtful,), last_resort=True)
    assert vague.leaving({"b"}, NOW) == RoutePlan((), (doubtful,), last_resort=True)
