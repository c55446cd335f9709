"""The order in which deployments are tried for a request, and why some are not."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.domain.deployment import Target, Tiers


class SpillReason(StrEnum):
    """Why a request was not served by its first tier; one closed set everywhere it is shown."""

    NONE = "none"
    THROTTLED = "throttled"  # the upstream refused this request
    HELD = "held"  # skipped: a hold was known
    PREDICTED = "predicted"
    SHARE = "share"
    SIZE = "size"
    ERROR = "error"  # the upstream failed
    UNHEALTHY = "unhealthy"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A deployment that may be asked, with its tier counted from 0."""

    deployment: str
    tier: int


@dataclass(frozen=True, slots=True)
class Absence:
    """A deployment that is not asked, why, and until when (on the caller's clock, seconds)."""

    deployment: str
    tier: int
    reason: SpillReason
    until: float


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """Candidates in the order they are tried, and the reason for each absence."""

    candidates: tuple[Candidate, ...]
    absences: tuple[Absence, ...] = ()


def plan_route(
    tiers: Tiers, *, holds: Mapping[str, float], now: float, draw: Callable[[], float]
) -> RoutePlan:
    """Tier by tier, held deployments left out, weights deciding within a tier.

    `holds` says until when a deployment must not be asked. `draw` gives uniform numbers in [0, 1).
    """
    candidates: list[Candidate] = []
    absences: list[Absence] = []
    for tier, targets in enumerate(tiers):
        for target in _shuffled(targets, draw):
            until = holds.get(target.deployment, 0.0)
            if until > now:
                held = Absence(target.deployment, tier, SpillReason.HELD, until)
                absences.append(held)
            else:
                candidates.append(Candidate(target.deployment, tier))
    return RoutePlan(tuple(candidates), tuple(absences))


def _shuffled(targets: tuple[Target, ...], draw: Callable[[], float]) -> list[Target]:
    """A weighted random order: the target with weight w is first with probability w over the sum.

    Each gets an exponential waiting time of rate w, and the shortest goes first
    (Efraimidis and Spirakis, 2006).
    """
    if len(targets) == 1:
        return list(targets)
    return sorted(targets, key=lambda target: -math.log(1.0 - draw()) / target.weight)
