"""Whether a router does what is asked of it, one cell of traffic and calibration at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.planner.outcome import Outcome

#: What gateways do today, of which the better is the one that is refused less often.
BASELINES: Final = ("retry-after, shared", "retry-after, per replica")
#: Who is judged: all requests in one name, and as the gateway does it.
ROUTERS: Final = ("shadow bucket", "shadow bucket, fair shares")
#: What is shown beside who is short of the goal.
INFORMED: Final = "informed"

#: Of the baseline's refused round trips, one in so many may be left.
ONE_IN: Final = 10
#: PTU utilisation that counts as equal: as a part of all, not of the baseline's.
EQUAL: Final = 0.0005


@dataclass(frozen=True, slots=True)
class Verdict:
    """One router beside the better baseline, in one cell."""

    refused: int
    baseline: int
    higher: float
    """How much more of the PTU is used, as a part of all of it."""

    @property
    def fewer(self) -> float | None:
        """The part of the baseline's refused round trips that are saved; None where it had none."""
        return 1.0 - self.refused / self.baseline if self.baseline else None

    @property
    def is_met(self) -> bool:
        """A tenth of the refusals at most, at its utilisation or more."""
        return ONE_IN * self.refused <= self.baseline and self.higher >= -EQUAL


def verdict(outcomes: Mapping[str, Outcome], router: str) -> Verdict:
    """Of one cell. Raises ValueError where no baseline is among the outcomes."""
    known = [outcomes[name] for name in BASELINES if name in outcomes]
    better, judged = min(known, key=lambda each: each.tally.refused), outcomes[router]
    higher = judged.utilization - better.utilization
    return Verdict(judged.tally.refused, better.tally.refused, higher)
