from __future__ import annotations

import pytest

from app.domain.quota.usage import Usage
from app.planner.outcome import Outcome, Tally
from app.planner.verdict import verdict

SHARED, EACH, OURS = "retry-after, shared", "retry-after, per replica", "shadow bucket"


def outcome(refused: int, utilization: float = 0.9) -> Outcome:
    tally = Tally(requests=1000, tokens=1000, refused=refused)
    return Outcome(tally, 1000.0, utilization * 1000, Usage(), round_trip_s=0.05)


#: The one for all replicas is refused less often, and uses less.
BASELINES = {EACH: outcome(200, 0.95), SHARED: outcome(100)}


@pytest.mark.parametrize(
    ("refused", "utilization", "is_met"),
    [
        (10, 0.9, True),
        (11, 0.9, False),
        (0, 0.8996, True),
        (0, 0.8994, False),
        (0, 0.99, True),
        (90, 0.99, False),
    ],
)
def test_a_verdict_is_strict(refused: int, utilization: float, *, is_met: bool) -> None:
    """A tenth of the better baseline's at most, and its utilisation: of both, in this cell."""
    found = verdict({**BASELINES, OURS: outcome(refused, utilization)}, OURS)
    assert (found.is_met, found.baseline) == (is_met, 100)


def test_a_baseline_that_wastes_nothing_leaves_nothing_to_waste() -> None:
    """And nothing to be a part of."""
    found = {SHARED: outcome(0), OURS: outcome(0)}
    assert (verdict(found, OURS).is_met, verdict(found, OURS).fewer) == (True, None)
    assert not verdict(found | {OURS: outcome(1)}, OURS).is_met
