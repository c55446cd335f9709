"""A provisioned deployment's own bucket, as far as it can be known from outside.

Azure admits a request while utilisation is at most 100 %, whatever its size, adds its estimate,
corrects it at completion and drains continuously (provisioned throughput concept page, 2026-02).
Spillgate keeps the same bucket from what it sent, and corrects it by what Azure reveals: an
acceptance, a 429 with its time to wait, the utilisation header. Each of these is an interval that
the level was in; where the belief lies outside, it moves to the nearest edge, and what made it
wrong is learnt.

The level is in sixtieths of the bucket, which are seconds of capacity where it is one minute deep,
as Azure's metric suggests. A bucket of another depth, another capacity than configured, and traffic
that does not come through the gateway all look like requests that weigh more or less (`scale`) and
a bucket that drains faster or more slowly (`pace`).
"""

from __future__ import annotations

from math import inf, sqrt
from typing import Final

import msgspec

from app.domain.capacity.calibration import Learnt, Stretch, accepted, revealed
from app.domain.capacity.wait import Wait

#: Full. Azure documents no depth; one minute is the grain of its metric.
DEPTH: Final = 60.0
#: Several requests are on their way to Azure at once, and other replicas' are heard of a moment
#: late: so much is kept free even where everything is known.
LEAST_MARGIN: Final = 0.1
#: Beyond it, so many standard deviations of what nobody tells of ...
_CAUTION: Final = 3.0
#: ... and no more: a bucket that is kept emptier runs dry sooner after a burst.
MOST_MARGIN: Final = 4.0
#: With less noise than this, and room beyond any margin, a refusal was an odd one. When its time is
#: over one request goes without the margin, which follows from that refusal alone; an answer tells
#: how it really is.
_CALM: Final = 0.002
#: So long after Azure last confirmed or corrected the belief, a request that can go nowhere else is
#: sent in spite of it: a wrong one would not be found out.
FRESH_S: Final = 10.0
#: No refusal asks for a longer wait, so that nothing fuller is believed of Azure's word; and where
#: it has not spoken for as long, one request asks it, whatever is believed.
PROBE_AFTER_S: Final = 300.0
_MOST_TOLD: Final = DEPTH + PROBE_AFTER_S
#: Evidence as narrow as this says where the level is, even where the belief agrees with it.
_NARROW: Final = 0.5
#: An interval with one end says no less than one as wide as this.
_WIDEST: Final = 5.0
_ROUNDING: Final = 1e-9


class Mark(msgspec.Struct, frozen=True, gc=False):
    """What the bucket had seen when a request was sent: what came later Azure may not have seen."""

    taken: float
    returned: float
    syncs: int


class Belief(msgspec.Struct, frozen=True):
    """What replicas tell each other after Azure revealed something."""

    level: float
    learnt: Learnt


class ShadowBucket:
    """The belief of one replica; `now` is seconds of one clock that never runs backwards."""

    __slots__ = (
        "_back_at",
        "_drained_since",
        "_heard",
        "_learnt",
        "_level",
        "_returned",
        "_since",
        "_spoken",
        "_syncs",
        "_taken",
        "_taken_since",
        "_updated",
    )

    def __init__(self, now: float) -> None:
        self._learnt = Learnt()
        self._level = 0.0
        self._updated = now
        self._taken = self._returned = 0.0
        self._syncs = 0
        self._back_at = inf  # after a refusal that nothing announced, when one may ask
        self._heard = -inf  # whenever Azure said how full it is
        self._spoken = now  # or let a request in, or was asked for want of a word
        # What happened since the level was last revealed, or was nothing.
        self._since = now
        self._taken_since = self._drained_since = 0.0

    @property
    def scale(self) -> float:
        """What a second of the configured capacity weighs."""
        return self._learnt.scale

    @property
    def pace(self) -> float:
        """What drains in a second."""
        return self._learnt.pace

    def utilization(self, now: float) -> float:
        """The filled part: 1.0 is full, and more is possible."""
        if now > self._updated:
            self._drain(now)
        return self._level / DEPTH

    def has_room(self, now: float, headroom: float) -> bool:
        """Whether a request is admitted now that leaves `headroom`, by the level alone."""
        if now > self._updated:
            self._drain(now)
        over = self._level + headroom + LEAST_MARGIN - DEPTH
        if over + MOST_MARGIN <= _ROUNDING:
            return True
        return over <= _ROUNDING and over + self._margin(now) <= _ROUNDING

    def room_at(self, now: float, headroom: float = 0.0) -> float:
        """When a request is admitted that leaves `headroom` to others: `now`, if it is at once."""
        if self.has_room(now, headroom):
            return now
        over = self._level + headroom + LEAST_MARGIN - DEPTH
        noise, passed = _CAUTION * _CAUTION * self._learnt.noise, now - self._since
        pace, probe_at = self._learnt.pace, self._probe_at(now)
        wait = min((over + MOST_MARGIN) / pace, _drained(over, noise, passed, pace))
        earliest = now if over <= _ROUNDING else min(now + over / pace, probe_at)
        return min(now + wait, max(earliest, self._back_at), probe_at)

    def earliest_at(self, now: float, headroom: float = 0.0) -> float:
        """The same without a margin for what is not known."""
        self._drain(now)
        over = self._level + headroom + LEAST_MARGIN - DEPTH
        return now if over <= _ROUNDING else min(now + over / self.pace, self._probe_at(now))

    def is_fresh(self, now: float) -> bool:
        """Whether the belief rests on something recent; what is older is no reason to refuse by.

        That is a word of Azure's, be it that it agrees; or that the bucket ran empty: it holds at
        least what was counted since, and who fills it within the time has taken many times what
        drains.
        """
        return now - max(self._heard, self._since) < FRESH_S

    def mark(self) -> Mark:
        """To be kept with a request that is sent now, after it was taken."""
        return Mark(self._taken, self._returned, self._syncs)

    def has_synced(self, mark: Mark) -> bool:
        """Whether Azure has revealed the level since."""
        return self._syncs > mark.syncs

    def returned_since(self, mark: Mark) -> float:
        """Given back since the marked request was sent: its answer may still have it."""
        return self._returned - mark.returned

    def take(self, seconds: float, now: float) -> float:
        """Add a request's estimate; what was added is to be corrected by at its completion."""
        if now > self._updated:
            self._drain(now)
        if self._spoken + PROBE_AFTER_S <= now:
            self._spoken = now
        added = seconds * self._learnt.scale
        if now >= self._back_at:
            self._back_at = inf
        self._level += added
        self._taken += added
        self._taken_since += seconds
        return added

    def correct(self, seconds: float, now: float) -> None:
        """Add what was used beyond the estimate, or give back what was not (below zero)."""
        if seconds > 0:
            self.heard(seconds, 0.0, now)
        else:
            self.heard(0.0, -seconds, now)

    def heard(self, taken: float, returned: float, now: float) -> None:
        """So many seconds were taken and given back, by another replica or beyond an estimate here.

        Azure may know of either, or both.
        """
        if now > self._updated:
            self._drain(now)
        scale = self._learnt.scale
        self._level = max(0.0, self._level + (taken - returned) * scale)
        self._taken += taken * scale
        self._returned += returned * scale
        self._taken_since += taken - returned

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
        if now > self._updated:
            self._drain(now)
        self._spoken = now
        room = DEPTH + own + self._more(mark) - self._level
        self._learnt, by = accepted(self._learnt, room, self._stretch(now))
        if by == 0:
            return False
        self._level = max(0.0, self._level + by)
        self._begin(now)
        return by < -_NARROW

    def refused(self, mark: Mark, wait: Wait | None, now: float) -> bool:
        """A request was refused; it was taken, and undone before."""
        self._drain(now)
        self._spoken = now
        if wait is None:
            return self._learn(DEPTH, inf, now)
        if self._learnt.noise < _CALM and self._level < DEPTH - MOST_MARGIN:
            self._back_at = now + wait.seconds
        seconds = min(wait.seconds, PROBE_AFTER_S)
        most = DEPTH + seconds * self.pace
        least = DEPTH + max(0.0, seconds - wait.grain_s) * self.pace
        return self._learn(least - self.returned_since(mark), most + self._more(mark), now)

    def told(self, utilization: float, mark: Mark, now: float) -> bool:
        """An answer said how full the bucket is, 1.0 being all."""
        if now > self._updated:
            self._drain(now)
        self._spoken = now
        level = min(utilization, _MOST_TOLD / DEPTH) * DEPTH
        return self._learn(level - self.returned_since(mark), level + self._more(mark), now)

    def belief(self) -> Belief:
        """For the other replicas."""
        return Belief(self._level, self._learnt)

    def adopt(self, belief: Belief, unheard: float, now: float) -> None:
        """Believe what another replica was revealed, who had not heard of these seconds yet."""
        self._drain(now)
        self._spoken = now
        self._learnt = belief.learnt
        self._level = max(0.0, belief.level + unheard * self.scale)
        self._synced(now)
        self._taken_since = unheard

    def _margin(self, now: float) -> float:
        """What is kept free for what may have come that nobody tells of."""
        noise, passed = _CAUTION * _CAUTION * self._learnt.noise, now - self._since
        return min(MOST_MARGIN, sqrt(noise * passed))

    def _probe_at(self, now: float) -> float:
        return max(now, self._spoken + PROBE_AFTER_S)

    def _more(self, mark: Mark) -> float:
        """Sent after the marked request: what that one's answer says may not have it yet."""
        return max(0.0, self._taken - mark.taken)

    def _drain(self, now: float) -> None:
        passed = now - self._updated
        if passed <= 0:
            return
        self._updated = now
        self._level -= self._learnt.pace * passed
        self._drained_since += passed
        if self._level <= 0:
            self._level = 0.0
            self._learnt = self._learnt.at_zero()
            self._begin(now)

    def _learn(self, least: float, most: float, now: float) -> bool:
        """The level is in this interval: move into it, and learn why it was not."""
        self._heard = now
        error = max(0.0, least - self._level) + min(0.0, most - self._level)
        width = most - least
        if error == 0 and width > _NARROW:
            return False
        self._learnt = revealed(self._learnt, error, min(width, _WIDEST), self._stretch(now))
        self._level = max(0.0, self._level + error)
        self._synced(now)
        return True

    def _stretch(self, now: float) -> Stretch:
        return Stretch(self._taken_since, self._drained_since, now - self._since)

    def _synced(self, now: float) -> None:
        self._syncs += 1
        self._begin(now)

    def _begin(self, now: float) -> None:
        self._since = now
        self._taken_since = self._drained_since = 0.0


def _drained(over: float, noise: float, passed: float, pace: float) -> float:
    """Seconds until a level that is `over` has drained by that, and by a margin that grows.

    Solves over + sqrt(noise * (passed + t)) = pace * t.
    """
    half = over * pace + noise / 2
    root = half * half - pace * pace * (over * over - noise * passed)
    return max(0.0, (half + sqrt(max(0.0, root))) / (pace * pace))
