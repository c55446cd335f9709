"""Whatever happens, attempts after errors stay within what requests paid for, and three."""

from __future__ import annotations

from collections import Counter

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
