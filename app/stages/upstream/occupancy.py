"""What one attempt takes of its deployment's capacity, for as long as it is under way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from app.domain.capacity.capacity import Place
from app.domain.capacity.demand import Demand
from app.domain.quota.usage import Usage
from app.domain.routing.attempt import Verdict
from app.domain.routing.route import RoutePlan
from app.observation import Meter, Observation
from app.ports import Clock
from app.stages.upstream.opening import Opened
from app.standing import Standing
from app.wire.capacity import capacity_told, wait_told
from app.wire.usage import usage_of_body

#: Of text that nobody counted; most of a stream's bytes are its frames.
_BYTES_PER_TOKEN: Final = 4


class Occupancy:
    """One attempt's; without a place nothing is counted."""

    def __init__(self, place: Place | None, clock: Clock) -> None:
        self._place = place
        self._clock = clock
        self.is_lost = False  # another deployment answered first: the prompt was read for nothing

    def opened(self, opened: Opened, meter: Meter) -> None:
        """Tell what its answer said.

        The headers of an answer that is here whole were written after it had been made, so that
        what it used goes before what they say of the capacity.
        """
        if self._place is None:
            return
        now = self._clock.now()
        if opened.verdict is Verdict.THROTTLED:
            wait = wait_told(opened.retry_after_s, opened.headers)
            self._place.refused(capacity_told(opened.headers), wait, now)
        elif _ran(opened.verdict, opened.status):
            if opened.answer is not None and opened.answer.rest is None:
                meter.usage = usage_of_body(opened.answer.head)
                if meter.usage is not None:
                    self._place.settle(_told(meter.usage), now)
            self._place.accepted(capacity_told(opened.headers), now)

    def ended(self, used: Demand | None) -> None:
        """Put what was used in place of what was taken."""
        if self._place is not None:
            self._place.settle(used, self._clock.now())


@contextmanager
def occupying(
    deployment: str, plan: RoutePlan, standing: Standing, observation: Observation, clock: Clock
) -> Iterator[Occupancy]:
    """The scope of one attempt; what `observation` then says it used stays taken."""
    occupancy = Occupancy(standing.take(deployment, plan, clock.now()), clock)
    served = observation.served
    try:
        yield occupancy
    finally:
        is_ours = observation.served is not served
        used = _used(observation) if is_ours else None
        occupancy.ended(_read(observation.demand) if occupancy.is_lost else used)


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
    return verdict is Verdict.ACCEPT and (status or 0) < HTTPStatus.MULTIPLE_CHOICES
