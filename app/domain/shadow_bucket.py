"""A provisioned deployment's own bucket, as far as it can be known from outside.

Azure admits a request while utilisation is at most 100 %, whatever its size, adds its estimate,
corrects it at completion and drains continuously (provisioned throughput concept page, 2026-02).
Spillgate keeps the same bucket from what it sent, and corrects it by what Azure reveals: an
acceptance, a 429 with its time to wait, the utilisation header. Each of these is an interval that
the level was in; where the belief lies outside, it moves to the nearest edge, and what made it
wrong is learnt by normalised least mean squares.

The level is in sixtieths of the bucket, which are seconds of capacity where it is one minute deep,
as Azure's metric suggests. A bucket of another depth, another capacity than configured, and traffic
that does not come through the gateway all look like requests that weigh more or less (`scale`) and
a bucket that drains faster or more slowly (`pace`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf
from typing import Final, NamedTuple

from app.domain.wait import Wait

#: Full. Azure documents no depth; one minute is the grain of its metric.
DEPTH: Final = 60.0
#: A request arrives a moment after the decision, and a belief is never exact.
LEAST_MARGIN: Final = 0.02
MOST_MARGIN: Final = 0.5
#: How much of an error is learnt at once.
_GAIN: Final = 0.3
_STEPS: Final = (-0.7, 0.7)
#: The belief is wrong by this much at most in what one request weighs, and in how fast it drains.
_SCALES: Final = (0.03, 30.0)
_PACES: Final = (0.03, 30.0)
#: Of short times little is learnt: squared seconds.
_NOISE: Final = 9.0
#: Of how much of the error the margin is a running mean.
_DOUBT_GAIN: Final = 0.2
#: While it is believed full nobody tells that it is not: the pace is raised, slowly at first, until
#: something is refused. Per second, doubling every so many seconds.
_CREEP: Final = 1e-5
_MOST_CREEP: Final = 5e-3
_CREEP_DOUBLES_S: Final = 40.0
#: So long after a utilisation header none is expected any more, and creeping begins.
_HEADER_S: Final = 10.0
#: Evidence as narrow as this says where the level is, even where the belief agrees with it.
_NARROW: Final = 0.5


class Mark(NamedTuple):
    """What the bucket had seen when a request was sent: what came later Azure may not have seen."""

    taken: float
    returned: float
    syncs: int


@dataclass(frozen=True, slots=True)
class Belief:
    """What replicas tell each other after Azure revealed something."""

    level: float
    scale: float
    pace: float


class ShadowBucket:
    """The belief of one replica; `now` is seconds of one clock that never runs backwards."""

    __slots__ = (
        "_doubt",
        "_drained_since",
        "_emptied",
        "_header_at",
        "_level",
        "_quiet",
        "_returned",
        "_since",
        "_syncs",
        "_taken",
        "_taken_since",
        "_updated",
        "pace",
        "scale",
    )

    def __init__(self, now: float) -> None:
        self.pace = 1.0
        self.scale = 1.0
        self._level = 0.0
        self._updated = now
        self._doubt = LEAST_MARGIN
        self._taken = self._returned = 0.0
        self._header_at = -inf
        self._quiet = 0.0
        self._syncs = 0
        # What happened since Azure last revealed the level.
        self._since = now
        self._taken_since = self._drained_since = 0.0
        self._emptied = True

    def utilization(self, now: float) -> float:
        """The filled part: 1.0 is full, and more is possible."""
        self._drain(now)
        return self._level / DEPTH

    def room_at(self, now: float, headroom: float = 0.0) -> float:
        """When a request is admitted that leaves `headroom` to others: `now`, if it is at once."""
        self._drain(now)
        margin = min(MOST_MARGIN, max(LEAST_MARGIN, 2 * self._doubt))
        over = self._level + headroom + margin - DEPTH
        return now if over <= 0 else now + over / self.pace

    def mark(self) -> Mark:
        """To be kept with a request that is sent now, after it was taken."""
        return Mark(self._taken, self._returned, self._syncs)

    def has_synced(self, mark: Mark) -> bool:
        """Whether Azure has revealed the level since."""
        return self._syncs > mark.syncs

    def take(self, seconds: float, now: float) -> float:
        """Add a request's estimate; what was added is to be corrected by at its completion."""
        self._drain(now)
        added = seconds * self.scale
        self._level += added
        self._taken += added
        self._taken_since += seconds
        return added

    def correct(self, seconds: float, now: float) -> None:
        """Add what was used beyond the estimate, or give back what was not (below zero)."""
        self._drain(now)
        change = seconds * self.scale
        self._level = max(0.0, self._level + change)
        self._taken_since += seconds
        if change < 0:
            self._returned -= change
        else:
            self._taken += change

    def undo(self, seconds: float, now: float) -> None:
        """Take back what was refused: Azure has never had it."""
        self._drain(now)
        self._level = max(0.0, self._level - seconds * self.scale)
        self._taken -= seconds * self.scale
        self._taken_since -= seconds

    def accepted(self, mark: Mark, own: float, now: float) -> bool:
        """A request was let in: before it (`own` was added for it) it was not over its depth.

        This and the next two say whether anything was learnt.
        """
        self._drain(now)
        return self._learn(0.0, DEPTH + own + self._more(mark), now)

    def refused(self, mark: Mark, wait: Wait | None, now: float) -> bool:
        """A request was refused; it was taken, and undone before."""
        self._drain(now)
        self._quiet = 0.0
        if wait is None:
            return self._learn(DEPTH, inf, now)
        most = DEPTH + wait.seconds * self.pace
        least = DEPTH + max(0.0, wait.seconds - wait.grain_s) * self.pace
        return self._learn(least - self._back(mark), most + self._more(mark), now)

    def told(self, utilization: float, mark: Mark, now: float) -> bool:
        """An answer said how full the bucket is, 1.0 being all."""
        self._drain(now)
        self._header_at = now
        level = utilization * DEPTH
        return self._learn(level - self._back(mark), level + self._more(mark), now)

    def belief(self) -> Belief:
        """For the other replicas."""
        return Belief(self._level, self.scale, self.pace)

    def adopt(self, belief: Belief, unheard: float, now: float) -> None:
        """Believe what another replica was revealed, who had not heard of these seconds yet."""
        self._drain(now)
        self.scale, self.pace = belief.scale, belief.pace
        self._level = max(0.0, belief.level + unheard * self.scale)
        self._synced(now)

    def _more(self, mark: Mark) -> float:
        return max(0.0, self._taken - mark.taken)

    def _back(self, mark: Mark) -> float:
        return self._returned - mark.returned

    def _drain(self, now: float) -> None:
        passed = now - self._updated
        if passed <= 0:
            return
        self._updated = now
        self._creep(passed, now)
        self._level -= self.pace * passed
        self._drained_since += passed
        if self._level <= 0:
            self._level, self._emptied = 0.0, True

    def _creep(self, passed: float, now: float) -> None:
        if self._level < DEPTH - 2 * MOST_MARGIN or now - self._header_at < _HEADER_S:
            return
        self._quiet += passed
        rate = min(_MOST_CREEP, _CREEP * 2.0 ** min(20.0, self._quiet / _CREEP_DOUBLES_S))
        self.pace = _within(self.pace * (1 + rate * passed / 2), _PACES)
        self.scale = _within(self.scale * (1 - rate * passed / 2), _SCALES)

    def _learn(self, least: float, most: float, now: float) -> bool:
        """The level is in this interval: move into it, and learn why it was not."""
        error = max(0.0, least - self._level) + min(0.0, most - self._level)
        if error == 0 and most - least > _NARROW:
            return False
        self._doubt += _DOUBT_GAIN * (min(abs(error), MOST_MARGIN) - self._doubt)
        self._adapt(error)
        self._level = max(0.0, self._level + error)
        self._synced(now)
        return True

    def _adapt(self, error: float) -> None:
        """Normalised least mean squares over what was added and what drained, in logarithms."""
        added = self._taken_since * self.scale
        drained = 0.0 if self._emptied else self._drained_since * self.pace
        step = _GAIN * error / (added * added + drained * drained + _NOISE)
        self.scale = _within(self.scale * exp(_within(step * added, _STEPS)), _SCALES)
        self.pace = _within(self.pace * exp(_within(-step * drained, _STEPS)), _PACES)

    def _synced(self, now: float) -> None:
        self._syncs += 1
        self._since = now
        self._taken_since = self._drained_since = 0.0
        self._emptied = self._level <= 0


def _within(value: float, bounds: tuple[float, float]) -> float:
    return min(bounds[1], max(bounds[0], value))
