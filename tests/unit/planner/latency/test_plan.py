from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from app.planner.latency.plan import Plan, Turn, turns

NAMES = ("a", "b", "c")


@given(st.integers(1, 20), st.integers(0, 5), st.integers())
def test_each_deployment_has_a_turn_in_every_round(requests: int, warm_up: int, seed: int) -> None:
    """So that none is ever more than a round ahead of another; warm-up comes first."""
    plan = Plan(NAMES, requests=requests, warm_up=warm_up, seed=seed)
    found = list(turns(plan))
    assert len(found) == plan.total
    rounds = [found[start : start + 3] for start in range(0, len(found), 3)]
    assert all({turn.deployment for turn in each} == set(NAMES) for each in rounds)
    assert [turn.number for turn in found] == list(range(plan.total))
    assert [turn.counts for turn in found] == [False] * 3 * warm_up + [True] * 3 * requests


def test_no_deployment_always_comes_first() -> None:
    """Who follows a slow one would always be measured in its wake."""
    found = list(turns(Plan(NAMES, requests=300, warm_up=0)))
    firsts = Counter(turn.deployment for turn in found[::3])
    assert min(firsts.values()) > 50


def test_a_seed_gives_the_same_order_again_and_another_does_not() -> None:
    """A measurement can be repeated."""

    def drawn(seed: int) -> list[Turn]:
        return list(turns(Plan(NAMES, seed=seed)))

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
