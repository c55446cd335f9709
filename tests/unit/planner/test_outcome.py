from __future__ import annotations

import pytest

from app.domain.quota.usage import Usage
from app.planner.outcome import Outcome, Tally


def outcome(tally: Tally, *, bill: Usage | None = None) -> Outcome:
    return Outcome(tally, capacity=1_000.0, used=900.0, bill=bill or Usage(), round_trip_s=0.05)


def test_shares_are_of_all_tokens_and_of_the_capacity() -> None:
    """Utilisation is what drained over what could; spilled tokens are a share of all."""
    found = outcome(Tally(tokens=400, spilled_tokens=100))
    assert (found.utilization, found.spilled) == (0.9, 0.25)


@pytest.mark.parametrize(("refused", "p95"), [(0, 0.0), (5, 0.0), (6, 0.05)])
def test_the_95th_percentile_waits_if_more_than_a_twentieth_were_refused(
    refused: int, p95: float
) -> None:
    """Every request waits one round trip or nothing, and the mean is in between."""
    found = outcome(Tally(requests=100, refused=refused))
    assert found.p95_wait_s == p95
    assert found.mean_wait_s == pytest.approx(0.05 * refused / 100)


def test_the_bill_has_three_prices() -> None:
    """gpt-4o: 2.50, 1.25 and 10 dollars a million."""
    bill = Usage(input=3_000_000, cached=1_000_000, output=500_000)
    assert outcome(Tally(), bill=bill).usd == pytest.approx(2 * 2.5 + 1.25 + 5)


def test_keeping_back_is_judged_both_ways() -> None:
    """Precision: was it right to keep it back? Recall: was what is hopeless kept back?"""
    found = outcome(Tally(refused=10, kept_back_rightly=30, kept_back_wrongly=20))
    assert found.precision == pytest.approx(0.6)
    assert found.recall == pytest.approx(0.75)


def test_nothing_can_be_said_of_a_run_without_refusals() -> None:
    """None, not a division by zero."""
    found = outcome(Tally())
    assert (found.precision, found.recall, found.spilled, found.mean_wait_s) == (None, None, 0, 0)
