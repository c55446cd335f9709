"""Calls of a second and dollars of a day: never more than allowed, whatever is asked when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.domain.policy.safety import Unchecked
from app.domain.policy.safety_budget import SafetyBudget

ASKED = st.lists(
    st.tuples(st.integers(1, 20), st.floats(0, 0.01), st.floats(0, 100_000)), max_size=60
)


@given(asked=ASKED)
def test_a_day_never_costs_more_than_its_budget(
    asked: list[tuple[int, float, float]],
) -> None:
    """What is refused takes nothing."""
    budget, now = SafetyBudget(), 0.0
    spent: dict[int, float] = {}
    for calls, usd, pause in asked:
        now += pause
        reason = budget.take(calls, usd, per_s=1000, per_day=0.02, now=now, unix=now)
        if reason is None:
            day = int(now // 86_400)
            spent[day] = spent.get(day, 0.0) + usd
    assert all(each <= 0.02 + 1e-9 for each in spent.values())


def test_calls_come_back_with_time() -> None:
    """A second's worth at once, then as they fill."""

    def take(calls: int, now: float) -> Unchecked | None:
        return budget.take(calls, 0.0, per_s=10, per_day=1, now=now, unix=now)

    budget = SafetyBudget()
    assert [take(5, 0.0), take(5, 0.0), take(1, 0.0)] == [None, None, Unchecked.RATE]
    assert [take(5, 0.5), take(1, 0.5)] == [None, Unchecked.RATE]


def test_one_request_of_many_calls_is_let_through_when_the_bucket_is_full() -> None:
    """Else it could never be checked; those after it wait for what it took."""
    budget = SafetyBudget()
    assert budget.take(30, 0, per_s=10, per_day=1, now=0, unix=0) is None
    assert budget.take(1, 0, per_s=10, per_day=1, now=0, unix=0) is Unchecked.RATE
