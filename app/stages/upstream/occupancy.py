"""What one attempt takes of its deployment's capacity, for as long as it is under way."""

from __future__ import annotations

import msgspec

from app.domain.capacity.capacity import CapacityTold, Place
from app.domain.capacity.demand import Demand
from app.domain.quota.usage import BYTES_PER_TOKEN
from app.domain.routing.attempt import FIRST_REFUSAL, Verdict
from app.observation import Observation
from app.ports import Clock
from app.stages.upstream.opening import Opened
from app.wire.capacity import wait_told
from app.wire.usage import usage_of_body

_ACCEPT, _THROTTLED = Verdict.ACCEPT, Verdict.THROTTLED


class Occupancy(msgspec.Struct, eq=False):
    """One attempt's, until its end; without a place nothing is counted.

    What the observation says at the end that it used stays taken, if anybody served by then: that
    is this one, unless it lost.
    """

    place: Place | None
    observation: Observation
    clock: Clock
    is_lost: bool = False  # another deployment answered first: the prompt was read for nothing

    def opened(self, opened: Opened, told: CapacityTold, now: float) -> None:
        """Tell what its answer said, in its headers and of its usage.

        The headers of an answer that is here whole were written after it had been made, so that
        what it used goes before what they say of the capacity.
        """
        place, answer = self.place, opened.answer
        if place is None:
            return
        if opened.verdict is _ACCEPT and (opened.status or 0) < FIRST_REFUSAL:
            if answer is not None and answer.rest is None:
                usage = self.observation.meter.usage = usage_of_body(answer.head)
                if usage is not None:
                    place.settle(Demand(usage.input, usage.output, usage.cached), now)
                    self.place = None  # nothing is left to be told at its end
            place.accepted(told, now)
        elif opened.verdict is _THROTTLED:
            wait = wait_told(opened.retry_after_s, opened.headers)
            place.refused(told, wait, now)

    def end(self) -> None:
        """Put what was used in place of what was taken; again changes nothing."""
        place, self.place = self.place, None
        if place is None:
            return
        used, observation = None, self.observation
        if self.is_lost:
            used = _read(observation.demand)
        elif observation.served is not None:
            used = _used(observation)
        place.settle(used, self.clock.now())


def _used(observation: Observation) -> Demand | None:
    """As the upstream told, else as it looks."""
    served, usage, demand = observation.served, observation.meter.usage, observation.demand
    if served is None or served.verdict is not _ACCEPT or (served.status or 0) >= FIRST_REFUSAL:
        return None
    if demand is None:
        return None
    if usage is not None:
        return Demand(usage.input, usage.output, usage.cached)
    request = observation.request
    if request is not None and request.background:
        return demand  # it is still at work
    output = min(demand.output, observation.meter.bytes // BYTES_PER_TOKEN)
    return Demand(demand.prompt, output, demand.cached)


def _read(demand: Demand | None) -> Demand | None:
    return None if demand is None else Demand(demand.prompt, 0, demand.cached)
