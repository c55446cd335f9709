"""The order in which deployments are tried for a request, and why some are not."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from app.domain.demand import Load
from app.domain.deployment import Deployment, Target, Tiers
from app.domain.room import Room
from app.domain.route_policy import RoutePolicy, Spill
from app.domain.spill import SpillReason

NEVER = math.inf


@dataclass(frozen=True, slots=True)
class Candidate:
    """A deployment that may be asked, with its tier counted from 0."""

    deployment: str
    tier: int
    utilization: float | None = None  # as predicted; None where nothing is known of it


@dataclass(frozen=True, slots=True)
class Absence:
    """A deployment that is not asked, why, and until when (on the caller's clock, seconds)."""

    deployment: str
    tier: int
    reason: SpillReason
    until: float
    utilization: float | None = None


@dataclass(frozen=True, slots=True)
class Choices:
    """The tiers that a request may use, some of them perhaps empty, and what it may not."""

    tiers: Tiers
    absences: tuple[Absence, ...] = ()

    @property
    def deployments(self) -> tuple[str, ...]:
        """The names of all that may serve."""
        return tuple(target.deployment for tier in self.tiers for target in tier)


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """Candidates in the order they are tried, and the reason for each absence."""

    candidates: tuple[Candidate, ...]
    absences: tuple[Absence, ...] = ()
    load: Load | None = None  # None: it costs nothing

    @property
    def until(self) -> float:
        """When the first of those that are absent may serve; NEVER where none will."""
        return min((absence.until for absence in self.absences), default=NEVER)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of one deployment: `room` for the request; `factor` of its weight, 0 to 1.

    The factor is below 1 while it recovers from failures, and 0 while it is kept out for them.
    """

    room: Room
    factor: float = 1.0


def choices_for(
    tiers: Tiers, deployments: Mapping[str, Deployment], policy: RoutePolicy
) -> Choices:
    """What a tenant's policy leaves of a model's tiers; the places of tiers stay as they are."""
    kept: list[tuple[Target, ...]] = []
    absences: list[Absence] = []
    for number, targets in enumerate(tiers):
        spills = number > 0 and policy.spill is Spill.DENY
        left = [] if spills else [t for t in targets if policy.permits(deployments[t.deployment])]
        kept.append(tuple(left))
        absences += [
            Absence(target.deployment, number, SpillReason.POLICY, NEVER)
            for target in targets
            if target not in left
        ]
    return Choices(tuple(kept), tuple(absences))


def plan_route(
    choices: Choices,
    outlooks: Mapping[str, Outlook],
    *,
    now: float,
    draw: Callable[[], float],
    preferred: Callable[[tuple[Target, ...]], str] | None = None,
) -> RoutePlan:
    """Tier by tier: who has room, weights deciding within a tier, the `preferred` one first.

    A deployment without an outlook has room. Where nobody is left but those that might refuse or
    fail, they are asked all the same. `draw` gives uniform numbers in [0, 1).
    """
    candidates: list[Candidate] = []
    absences: list[Absence] = []
    doubtful: list[Candidate] = []
    for tier, targets in enumerate(choices.tiers):
        first = preferred(targets) if preferred and len(targets) > 1 else None
        for target in _ordered(targets, outlooks, draw, first):
            name, outlook = target.deployment, outlooks.get(target.deployment)
            used = outlook.room.utilization if outlook else None
            if outlook is not None and outlook.room.at > now:
                room = outlook.room
                absences.append(Absence(name, tier, room.reason, room.at, used))
                if not room.firm:
                    doubtful.append(Candidate(name, tier, used))
            else:
                candidates.append(Candidate(name, tier, used))
    return RoutePlan(tuple(candidates or doubtful), (*absences, *choices.absences))


def with_load(plan: RoutePlan, load: Load | None) -> RoutePlan:
    """The plan of a request that puts this on whoever serves it."""
    return replace(plan, load=load)


def _ordered(
    targets: tuple[Target, ...],
    outlooks: Mapping[str, Outlook],
    draw: Callable[[], float],
    first: str | None,
) -> list[Target]:
    """A weighted random order: the target with weight w is first with probability w over the sum.

    Each gets an exponential waiting time of rate w, and the shortest goes first
    (Efraimidis and Spirakis, 2006).
    """
    if len(targets) == 1:
        return list(targets)

    def turn(target: Target) -> float:
        if target.deployment == first:
            return -1.0
        outlook = outlooks.get(target.deployment)
        weight = target.weight * (outlook.factor if outlook else 1.0)
        return -math.log(1.0 - draw()) / max(weight, 1e-9)

    return sorted(targets, key=turn)
