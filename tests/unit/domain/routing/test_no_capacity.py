"""What is said where nobody may be asked."""

from __future__ import annotations

import math

import pytest

from app.domain.capacity.spill import SpillReason
from app.domain.routing.no_capacity import no_capacity
from app.domain.routing.route import Absence


def test_no_capacity_names_the_first_that_has_room() -> None:
    """With its reason; where nobody ever will, there is no time to come back."""
    absences = [
        Absence("a", 0, SpillReason.HELD, 9.0),
        Absence("b", 1, SpillReason.PREDICTED, 4.5),
        Absence("c", 2, SpillReason.POLICY, math.inf),
    ]
    error = no_capacity(absences, 4.0)
    assert (error.retry_after_s, error.headers) == (0.5, {"x-spillgate-reason": "predicted"})
    never = no_capacity(absences[2:], 4.0)
    assert (never.retry_after_s, never.headers) == (None, {"x-spillgate-reason": "policy"})
    assert no_capacity(absences, 100.0).retry_after_s == pytest.approx(0.0)
