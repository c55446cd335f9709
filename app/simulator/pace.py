"""When tokens come: lognormal times around the medians that a deployment is given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final

from app.simulator.deployment import SimulatedDeployment

# Spread of the lognormal: the p99 is 1.8 times the median before the first token, 2.5 times after.
_TTFT_SPREAD: Final = 0.25
_TPOT_SPREAD: Final = 0.4
_DRAWN_GAPS: Final = 1000


@dataclass(frozen=True, slots=True)
class Pace:
    """The times of one answer, in seconds."""

    ttft: float
    tpot: float
    rng: Random = field(repr=False)

    def first(self) -> float:
        return self.ttft * self.rng.lognormvariate(0, _TTFT_SPREAD)

    def gap(self) -> float:
        return self.tpot * self.rng.lognormvariate(0, _TPOT_SPREAD) if self.tpot else 0.0

    def gaps(self, tokens: int) -> float:
        """All gaps of `tokens` tokens; those of a long answer are not drawn one by one."""
        drawn = min(tokens, _DRAWN_GAPS)
        total = sum(self._some_gaps(drawn))
        return total * tokens / drawn if drawn else 0.0

    def _some_gaps(self, count: int) -> Iterator[float]:
        return (self.gap() for _ in range(count))


def pace_of(deployment: SimulatedDeployment, rng: Random) -> Pace:
    return Pace(deployment.ttft_ms / 1000, deployment.tpot_ms / 1000, rng)
