"""Whatever happens, attempts after errors stay within what requests paid for, and three."""

from __future__ import annotations

from collections import Counter, deque
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.routing.retry_budget import Draw, RetryBudget

steps = st.lists(
    st.one_of(
        st.sampled_from(["started", "try", "try", "failed", "given up", "served"]),
        st.floats(0, 15),
    ),
    max_size=300,
)


class Story:
    """A budget, and what was done with it."""

    def __init__(self) -> None:
        self.budget = RetryBudget()
        self.now = 1000.0
        self.out: list[Draw] = []
        self.drawn: Counter[Draw] = Counter()
        self.paid: list[float] = []

    def play(self, step: str | float) -> None:
        """One step of it."""
        match step:
            case float():
                self.now += step
            case "started":
                self.budget.started(self.now)
                self.paid.append(self.now)
            case "try":
                draw = self.budget.try_spend(self.now)
                if draw is not None:
                    self.out.append(draw)
                    self.drawn[draw] += 1
            case "served":
                self.budget.served()
            case _ if self.out:
                self.budget.finished(self.out.pop(0), failed=step == "failed")
            case _:
                pass


@given(steps)
def test_retries_are_paid_for_or_among_three_at_once(script: list[str | float]) -> None:
    """Spent is at most 0.2 of the requests, and three concurrent ones."""
    story = Story()
    for step in script:
        story.play(step)
        assert 5 * story.drawn[Draw.DEPOSIT] <= len(story.paid)
        assert story.out.count(Draw.RESERVE) <= 3


@given(steps)
def test_without_success_three_is_all_there_is_beyond_the_deposits(
    script: list[str | float],
) -> None:
    """However long it lasts and however fast the failures are."""
    story = Story()
    for step in script:
        if step not in {"served", "given up"}:
            story.play(step)
            assert 5 * (sum(story.drawn.values()) - 3) <= len(story.paid)


@given(steps)
def test_no_deposit_outlives_ten_seconds(script: list[str | float]) -> None:
    """What could be spent now was paid within the last ten seconds."""
    story = Story()
    for step in script:
        story.play(step)
        recent = sum(paid > story.now - 10 for paid in story.paid)
        assert 5 * (story.budget.left(story.now) - 3) <= recent + 1e-9


def retries_per_request(failing: float, seed: int, *, rps: float = 200.0) -> float:
    """A minute in which a part of all attempts fails at once, a retry after 20 ms."""
    luck, budget, now, requests, retries = Random(seed), RetryBudget(), 0.0, 0, 0
    under_way: deque[tuple[float, Draw, bool]] = deque()
    while now < 60:
        now += luck.expovariate(rps)
        requests += 1
        budget.started(now)
        while under_way and under_way[0][0] <= now:
            _, paid_from, failed = under_way.popleft()
            budget.finished(paid_from, failed=failed)
            if not failed:
                budget.served()
        if luck.random() >= failing:
            budget.served()
        elif (draw := budget.try_spend(now)) is not None:
            retries += 1
            under_way.append((now + 0.02, draw, luck.random() < failing))
    return retries / requests


@pytest.mark.parametrize(
    ("failing", "retries"), [(1.0, 0.2), (0.9, 0.42), (0.8, 0.51), (0.5, 0.46), (0.2, 0.2)]
)
def test_what_retries_come_to_while_a_part_fails(failing: float, retries: float) -> None:
    """The figures of the documentation: while anything is served, more than a fifth."""
    for seed in range(3):
        assert retries_per_request(failing, seed) == pytest.approx(retries, abs=0.03)
