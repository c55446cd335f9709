"""Calls of a second and dollars of a day: never more than allowed, whatever is asked when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.policy.safety import Unchecked
from app.domain.policy.safety_budget import SafetyBounds, SafetyBudget, SafetyExpense

ASKED = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(1, 20), st.floats(0, 0.01), st.floats(0, 100_000)),
    max_size=60,
)


@given(asked=ASKED, part=st.sampled_from([1.0, 0.6, 0.5]))
def test_a_day_never_costs_more_than_its_budget(
    asked: list[tuple[str, int, float, float]], part: float
) -> None:
    """Nor a tenant more than its part of it; what is refused takes nothing."""
    budget, now, bounds = SafetyBudget(), 0.0, SafetyBounds(1000, 0.02, part)
    spent: dict[int, float] = {}
    own: dict[tuple[int, str], float] = {}
    for tenant, calls, usd, pause in asked:
        now += pause
        if budget.take(SafetyExpense(tenant, calls, usd), bounds, now=now, unix=now) is None:
            day = int(now // 86_400)
            spent[day] = spent.get(day, 0.0) + usd
            own[(day, tenant)] = own.get((day, tenant), 0.0) + usd
            assert budget.spent_usd == pytest.approx(spent[day])
    assert all(each <= 0.02 + 1e-9 for each in spent.values())
    assert all(each <= 0.02 * part + 1e-9 for each in own.values())


class Till:
    """A budget, and the calls that are asked of it."""

    def __init__(self, bounds: SafetyBounds) -> None:
        self.budget, self.bounds = SafetyBudget(), bounds

    def take(
        self, calls: int, now: float = 0.0, tenant: str = "a", usd: float = 0.0
    ) -> Unchecked | None:
        asked = SafetyExpense(tenant, calls, usd)
        return self.budget.take(asked, self.bounds, now=now, unix=now)


def test_calls_come_back_with_time() -> None:
    """A second's worth at once, then as they fill."""
    till = Till(SafetyBounds(10, 1))
    assert [till.take(5), till.take(5), till.take(1)] == [None, None, Unchecked.RATE]
    assert [till.take(5, 0.5), till.take(1, 0.5)] == [None, Unchecked.RATE]


def test_one_request_of_many_calls_is_let_through_when_the_bucket_is_full() -> None:
    """Else it could never be checked; those after it wait for what it took."""
    till = Till(SafetyBounds(10, 1))
    assert till.take(30) is None
    assert till.take(1) is Unchecked.RATE


def test_a_tenant_leaves_others_what_is_not_its_part() -> None:
    """Of calls, and of the day's dollars; both come back as for all."""
    till = Till(SafetyBounds(10, 1.0, 0.5))
    assert [till.take(5), till.take(1)] == [None, Unchecked.RATE]
    assert [till.take(5, tenant="b"), till.take(1, tenant="c")] == [None, Unchecked.RATE]
    assert till.take(5, 1.0) is None
    rich = Till(SafetyBounds(1000, 1.0, 0.5))
    assert [rich.take(1, usd=0.5), rich.take(1, usd=0.1)] == [None, Unchecked.BUDGET]
    assert rich.take(1, tenant="b", usd=0.5) is None
    assert rich.take(1, tenant="c", usd=0.1) is Unchecked.BUDGET
    assert rich.take(1, 86_400.0, usd=0.5) is None


def test_without_a_part_one_tenant_may_use_all() -> None:
    """As a gateway of one tenant needs it."""
    till = Till(SafetyBounds(10, 1.0))
    assert till.take(10, usd=1.0) is None
    assert till.take(1, 1.0, tenant="b", usd=0.1) is Unchecked.BUDGET
