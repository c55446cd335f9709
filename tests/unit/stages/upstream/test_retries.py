"""What a process may spend on attempts after errors."""

from __future__ import annotations

import pytest

from app.domain.routing.retry_budget import RetryBudget, RetryPolicy
from app.stages.upstream.retries import Retries

NOW = 1000.0


def poor() -> Retries:
    """Whose budget is one attempt at a time."""
    return Retries(RetryBudget(RetryPolicy(percent=0, reserve=1)))


def test_a_first_attempt_costs_nothing() -> None:
    """Whatever the budget is."""
    retries = poor()
    for _ in range(5):
        with retries.paid(0, NOW) as payment:
            assert payment.granted


def test_attempts_after_errors_are_paid_one_by_one() -> None:
    """The second at once is refused; the first gives its place back when it has not failed."""
    retries = poor()
    with retries.paid(1, NOW) as payment, retries.paid(1, NOW) as another:
        assert payment.granted
        assert not another.granted
    with retries.paid(1, NOW) as payment:
        assert payment.granted


def test_what_failed_is_paid_back_by_success() -> None:
    """Until anything is served, retrying has not helped."""
    retries = poor()
    with retries.paid(1, NOW) as payment:
        payment.failed = True
    with retries.paid(1, NOW) as payment:
        assert not payment.granted
    retries.budget.served()
    with retries.paid(1, NOW) as payment:
        assert payment.granted


def test_an_attempt_that_is_given_up_gives_its_place_back() -> None:
    """A client that leaves, say."""
    retries = poor()
    with pytest.raises(RuntimeError), retries.paid(1, NOW):
        raise RuntimeError
    with retries.paid(1, NOW) as payment:
        assert payment.granted
