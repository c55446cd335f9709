"""What one attempt takes of its deployment's capacity, for as long as it is under way."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from app.domain.capacity.capacity import Place
from app.domain.capacity.demand import Demand
from app.domain.quota.usage import Usage
from app.domain.routing.attempt import Verdict
from app.observation import Meter, Observation
from app.ports import Clock
from app.stages.upstream.opening import Opened
from app.wire.capacity import wait_told
from app.wire.usage import usage_of_body

#: Of text that nobody counted; most of a stream's bytes are its frames.
_BYTES_PER_TOKEN: Final = 4
_ACCEPT, _THROTTLED = Verdict.ACCEPT, Verdict.THROTTLED
_REFUSALS: Final = int(HTTPStatus.MULTIPLE_CHOICES)


class Occupancy:
    """One attempt's, until its end; without a place nothing is counted."""

    __slots__ = ("_clock", "_observation", "_place", "_served", "_settled", "is_lost")

    def __init__(self, place: Place | None, observation: Observation, clock: Clock) -> None:
        """What `observation` says at the end that it used stays taken, if it served by then."""
        self._place = place
        self._observation = observation
        self._served = observation.served
        self._settled: Usage | None = None
        self._clock = clock
        self.is_lost = False  # another deployment answered first: the prompt was read for nothing

    def opened(self, opened: Opened, meter: Meter, now: float) -> None:
        """Tell what its answer said.

        The headers of an answer that is here whole were written after it had been made, so that
        what it used goes before what they say of the capacity.
        """
        if self._place is None:
            return
        if opened.verdict is _THROTTLED:
            wait = wait_told(opened.retry_after_s, opened.headers)
            self._place.refused(opened.capacity_told(), wait, now)
        elif _ran(opened.verdict, opened.status):
            if opened.answer is not None and opened.answer.rest is None:
                meter.usage = usage_of_body(opened.answer.head)
                if meter.usage is not None:
                    self._settled = meter.usage
                    self._place.settle(_told(meter.usage), now)
            self._place.accepted(opened.capacity_told(), now)

    def end(self) -> None:
        """Put what was used in place of what was taken; again changes nothing."""
        place, self._place = self._place, None
        if place is None:
            return
        used, observation = None, self._observation
        if self.is_lost:
            used = _read(observation.demand)
        elif observation.served is not self._served:  # it is this one that served
            if self._settled is not None and observation.meter.usage is self._settled:
                return
            used = _used(observation)
        place.settle(used, self._clock.now())


def _used(observation: Observation) -> Demand | None:
    """As the upstream told, else as it looks."""
    served, usage, demand = observation.served, observation.meter.usage, observation.demand
    if served is None or not _ran(served.verdict, served.status) or demand is None:
        return None
    if usage is not None:
        return _told(usage)
    output = min(demand.output, observation.meter.bytes // _BYTES_PER_TOKEN)
    return Demand(demand.prompt, output, demand.cached)


def _read(demand: Demand | None) -> Demand | None:
    return None if demand is None else Demand(demand.prompt, 0, demand.cached)


def _told(usage: Usage) -> Demand:
    return Demand(usage.input, usage.output, usage.cached)


def _ran(verdict: Verdict, status: int | None) -> bool:
    """Whether a model was at work."""
    return verdict is _ACCEPT and (status or 0) < _REFUSALS
