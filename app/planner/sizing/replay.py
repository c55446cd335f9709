"""Traffic replayed, request by request, through the router's own bucket of a PTU deployment.

What is served by the PTUs and what spills is decided as `ShadowBucket` decides it where nothing
else is known: a request is let in while the bucket is at most full less its least margin, takes its
estimate, and is corrected when it ends. Arrivals and ends do not depend on the number of PTUs, so
they are sorted once, and a replay is one walk over them; a test holds it to the bucket itself.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress
from math import inf, nextafter
from typing import Final

from app.domain.capacity.provisioned import PtuCapacity
from app.domain.capacity.shadow_bucket import DEPTH, LEAST_MARGIN
from app.planner.sizing.traffic import Recorded

#: As the bucket forgives it.
_ROUNDING: Final = 1e-9
#: What an answer without a cap is expected to have, until answers were seen; tokens.
_FIRST_GUESS: Final = 256.0
_MEAN_GAIN: Final = 0.1


@dataclass(frozen=True, slots=True)
class Weighed:
    """Requests in the order of their arrival, in input tokens of one model's PTU.

    `events` are arrivals and ends in their order: a request's place for its arrival, its complement
    for its end; `times` are theirs.
    """

    requests: Sequence[Recorded]
    reserved: array[float]
    used: array[float]
    times: array[float]
    events: array[int]


@dataclass(frozen=True, slots=True)
class Replayed:
    """By request, 1 where the PTUs served it and 0 where it spilled; `rate` is tokens a second.

    `wait_s` is how long all that spilled would have had to wait for room, together: each as if it
    alone had waited.
    """

    ptus: int
    rate: float
    served: bytearray
    wait_s: float = 0.0

    @property
    def spilled(self) -> int:
        return len(self.served) - sum(self.served)

    def used(self, weighed: Weighed) -> float:
        """Input tokens' worth that the PTUs served."""
        return sum(compress(weighed.used, self.served))


def weighed(traffic: Iterable[Recorded], capacity: PtuCapacity) -> Weighed:
    """All that a replay needs of the traffic and does not depend on the number of PTUs."""
    requests = sorted(traffic, key=lambda each: each.at)
    used = array("d", (_weight(each, each.output, capacity) for each in requests))
    reserved = array("d", _reserved(requests, capacity))
    moments = [(each.at, place) for place, each in enumerate(requests)]
    # An end comes before an arrival of the same moment, but never before its own.
    moments += [
        (max(each.at + each.duration, nextafter(each.at, inf)), ~place)
        for place, each in enumerate(requests)
    ]
    moments.sort()
    times = array("d", (at for at, _ in moments))
    return Weighed(requests, reserved, used, times, array("q", (event for _, event in moments)))


def replay(
    traffic: Weighed, ptus: int, tokens_per_s: float, *, margin: float = LEAST_MARGIN
) -> Replayed:
    """Serve it with so many PTUs, each of which does `tokens_per_s` input tokens a second.

    Without the `margin`, sixtieths of the bucket, it is Azure's own rule: what spills then is what
    Azure refuses whoever asks it first.
    """
    rate = ptus * tokens_per_s
    served = bytearray(len(traffic.requests))
    if not rate:
        return Replayed(ptus, rate, served)
    full = DEPTH - margin + _ROUNDING
    reserved, used = traffic.reserved, traffic.used
    level = at = waited = 0.0
    for now, event in zip(traffic.times, traffic.events, strict=True):
        level -= now - at
        at = now
        if level < 0.0:  # noqa: PLR1730  # `max` takes a third of the walk's time
            level = 0.0
        if event >= 0:
            if level <= full:
                served[event] = 1
                level += reserved[event] / rate
            else:
                waited += level - full
        elif served[~event]:
            level += (used[~event] - reserved[~event]) / rate
            if level < 0.0:  # noqa: PLR1730  # as above
                level = 0.0
    return Replayed(ptus, rate, served, waited)


def _weight(request: Recorded, output: float, capacity: PtuCapacity) -> float:
    uncached = request.prompt - request.cached
    cached = request.cached * capacity.cached_weight
    return uncached + cached + output * capacity.output_ratio


def _reserved(requests: Iterable[Recorded], capacity: PtuCapacity) -> Iterable[float]:
    """By the cap, else by what answers had on average, as the gateway estimates it."""
    mean = _FIRST_GUESS
    for each in requests:
        yield _weight(each, mean if each.cap is None else each.cap, capacity)
        mean += _MEAN_GAIN * (each.output - mean)
