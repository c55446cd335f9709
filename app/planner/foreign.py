"""Traffic that reaches the PTU past the gateway: its arrivals, and what is usual of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from app.planner.azure import Ptu
from app.planner.scenarios import Scenario
from app.planner.strategy import NO_FOREIGN, Foreign, Size
from app.planner.traffic import HOUR, Arrival, Workload, arrivals, curve

#: Other draws of the same traffic than those that arrive.
_OTHER: Final = "usual"
_ROOM: Final = float("inf")


def foreign_arrivals(scenario: Scenario, *, draws: str = "") -> Iterator[Arrival]:
    """Of the same kind as the gateway's own, from a seed of their own."""
    part = scenario.calibration.foreign
    if not part:
        return
    seed = f"{scenario.seed}/foreign{draws}"
    for arrival in arrivals(_workload(scenario), hours=scenario.hours, seed=seed):
        # Nobody else's conversation is in the deployment's cache.
        request = arrival.request._replace(conversation=~arrival.request.conversation)
        yield arrival._replace(request=request)


def usual(scenario: Scenario) -> Foreign:
    """Its rate by the time of day, and sizes of as many requests as come."""
    if not scenario.calibration.foreign:
        return NO_FOREIGN
    workload, end = _workload(scenario), scenario.hours * HOUR
    sizes = tuple(_sizes(scenario))
    return Foreign(lambda at: curve(workload, min(1.0, at / end)), sizes)


def _workload(scenario: Scenario) -> Workload:
    own, part = scenario.case.workload, scenario.calibration.foreign
    return replace(own, night_rate=own.night_rate * part, day_rate=own.day_rate * part)


def _sizes(scenario: Scenario) -> Iterator[Size]:
    """As a PTU weighs them that is never full, so that its cache is as warm as it can be."""
    facts = replace(scenario.facts, depth_s=_ROOM)
    ptu, tokens_per_s = Ptu(facts), facts.tokens_per_s
    for arrival in foreign_arrivals(scenario, draws=_OTHER):
        job = ptu.offer(arrival.request, arrival.at)
        if job is not None:
            used = ptu.weight(job, arrival.output)
            ptu.complete(job, arrival.output, arrival.at)
            lasts = scenario.speed.takes(arrival.request.prompt - job.cached, arrival.output)
            yield Size(job.taken / tokens_per_s, (job.taken - used) / tokens_per_s, lasts)
