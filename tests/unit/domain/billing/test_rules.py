"""What the rules say of sorting."""

from __future__ import annotations

from app.domain.billing.rules import BillingRules
from tests.unit.domain.billing.months import ptu


def test_what_is_sorted_as_ptu_and_as_spilled() -> None:
    """Configured deployments with PTUs, and models that have some before their last tier."""
    rules = BillingRules((ptu(), ptu("big")), spilling=frozenset({"gpt-4o"}))
    assert rules.sorting.ptus == {"ptu", "big"}
    assert rules.sorting.spilling == {"gpt-4o"}
