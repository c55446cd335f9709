"""What one attempt takes of its deployment's capacity, for as long as it is under way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from app.domain.attempt import Verdict
from app.domain.capacity import Place
from app.domain.demand import Demand, Load
from app.observation import Observation
from app.ports import Clock
from app.stages.upstream.opening import Opened
from app.standing import Standing
from app.wire.capacity import capacity_told, wait_told

#: Of text that nobody counted; most of a stream's bytes are its frames.
_BYTES_PER_TOKEN: Final = 4


class Occupancy:
    """One attempt's; without a place nothing is counted."""

    def __init__(self, place: Place | None, clock: Clock) -> None:
        self._place = place
        self._clock = clock

    def opened(self, opened: Opened) -> None:
        """Tell what its answer said."""
        if self._place is None:
            return
        now = self._clock.now()
        if opened.verdict is Verdict.THROTTLED:
            wait = wait_told(opened.retry_after_s, opened.headers)
            self._place.refused(capacity_told(opened.headers), wait, now)
        elif _ran(opened.verdict, opened.status):
            self._place.accepted(capacity_told(opened.headers), now)

    def ended(self, used: Demand | None) -> None:
        """Put what was used in place of what was taken."""
        if self._place is not None:
            self._place.settle(used, self._clock.now())


@contextmanager
def occupying(
    deployment: str, load: Load | None, standing: Standing, observation: Observation, clock: Clock
) -> Iterator[Occupancy]:
    """The scope of one attempt; what `observation` then says it used stays taken."""
    occupancy = Occupancy(standing.take(deployment, load, clock.now()), clock)
    served = observation.served
    try:
        yield occupancy
    finally:
        is_ours = observation.served is not served
        occupancy.ended(_used(observation) if is_ours else None)


def _used(observation: Observation) -> Demand | None:
    """As the upstream told, else as it looks."""
    served, usage, demand = observation.served, observation.meter.usage, observation.demand
    if served is None or not _ran(served.verdict, served.status) or demand is None:
        return None
    if usage is not None:
        return Demand(usage.input, usage.output, usage.cached)
    output = min(demand.output, observation.meter.bytes // _BYTES_PER_TOKEN)
    return Demand(demand.prompt, output, demand.cached)


def _ran(verdict: Verdict, status: int | None) -> bool:
    """Whether a model was at work."""
    return verdict is Verdict.ACCEPT and (status or 0) < HTTPStatus.MULTIPLE_CHOICES
