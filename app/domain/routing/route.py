"""The order in which deployments are tried for a request, and why some are not."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Final

from app.domain.capacity.demand import Load
from app.domain.capacity.room import Room
from app.domain.capacity.spill import SpillReason
from app.domain.identity.route_policy import RoutePolicy
from app.domain.routing.deployment import Deployment, Target, Tiers
from app.domain.routing.ranking import Contender, Warm, choose, preferred

NEVER = math.inf
#: How much sooner another one must answer for a conversation to leave a warm cache.
WARM_S: Final = 3.0
#: Below this part of their capacity deployments of a tier are equals, and weights decide.
NEARLY_FULL: Final = 0.8
#: What a whole capacity is in seconds.
_WHOLE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A deployment that may be asked, with its tier counted from 0, and what ranked it there."""

    deployment: str
    tier: int
    utilization: float | None = None  # as predicted; None where nothing is known of it
    weight: float | None = field(default=None, compare=False)  # None: it was not drawn by weight
    wait_s: float = field(default=0.0, compare=False)  # expected until its first token
    is_warm: bool = field(default=False, compare=False)  # its cache may know the prompt


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
    spill_spent: bool = False  # the tenant's spill budget leaves the first tier alone

    @property
    def may_leave_first(self) -> bool:
        """Whether anybody outside the first tier may serve."""
        return any(self.tiers[1:])

    def without_spill(self) -> Choices:
        """The first tier alone, since nothing is left of a spill budget."""
        if not self.may_leave_first:
            return self
        first, *others = self.tiers
        absences = tuple(
            Absence(target.deployment, tier, SpillReason.POLICY, NEVER)
            for tier, targets in enumerate(others, 1)
            for target in targets
        )
        kept = (first, *(() for _ in others))
        return Choices(kept, (*self.absences, *absences), spill_spent=True)

    @property
    def names(self) -> tuple[tuple[str, ...], ...]:
        """The deployments of each tier."""
        return tuple(tuple(target.deployment for target in tier) for tier in self.tiers)

    @property
    def deployments(self) -> tuple[str, ...]:
        """All that may serve."""
        return tuple(name for tier in self.names for name in tier)


@dataclass(frozen=True, slots=True)
class Affinity:
    """Where a conversation's prompt may be cached: on `warm`, else where its key always goes."""

    key: bytes
    warm: str | None = None

    def among(self, contenders: Sequence[Contender]) -> Warm | None:
        """Whom to ask first of those that have room; never anybody else."""
        weights = {each.name: each.weight for each in contenders}
        name = self.warm if self.warm in weights else preferred(self.key, weights)
        return None if name is None else Warm(name, WARM_S)


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """Candidates in the order they are tried, and the reason for each absence."""

    candidates: tuple[Candidate, ...]
    absences: tuple[Absence, ...] = ()
    load: Load | None = None  # None: it costs nothing
    affinity: Affinity | None = None
    last_resort: bool = False  # nobody was expected to serve: all are asked in the end
    spill_spent: bool = False  # as of the choices
    waited_s: float | None = field(default=None, compare=False)  # in line; None: it did not wait

    def beside(self, candidate: Candidate) -> list[str]:
        """The deployments of its tier that policy permits, itself among them."""
        tier = candidate.tier
        names = [each.deployment for each in self.candidates if each.tier == tier]
        return names + [
            each.deployment
            for each in self.absences
            if each.tier == tier
            and each.reason is not SpillReason.POLICY
            and each.deployment not in names
        ]

    def leaving(self, names: Collection[str], now: float) -> RoutePlan:
        """The plan where these candidates have no room, because others wait for it in front."""
        known = {each.deployment for each in self.absences}
        absences = tuple(
            Absence(each.deployment, each.tier, SpillReason.PREDICTED, now, each.utilization)
            for each in self.candidates
            if each.deployment in names and each.deployment not in known
        )
        candidates = tuple(each for each in self.candidates if each.deployment not in names)
        return replace(self, candidates=candidates, absences=(*absences, *self.absences))

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


_OPEN = Outlook(Room(-math.inf))


def choices_for(
    tiers: Tiers, deployments: Mapping[str, Deployment], policy: RoutePolicy
) -> Choices:
    """What a tenant's policy leaves of a model's tiers; the places of tiers stay as they are."""
    return permitted(Choices(tiers), deployments, policy)


def permitted(
    choices: Choices, deployments: Mapping[str, Deployment], policy: RoutePolicy
) -> Choices:
    """What a tenant's policy leaves of them; what they are without already does not come back."""
    if policy.admits_all:
        return choices
    kept: list[tuple[Target, ...]] = []
    absences = list(choices.absences)
    for number, targets in enumerate(choices.tiers):
        left = [each for each in targets if policy.admits(deployments[each.deployment], number)]
        kept.append(tuple(left))
        absences += [
            Absence(target.deployment, number, SpillReason.POLICY, NEVER)
            for target in targets
            if target not in left
        ]
    return replace(choices, tiers=tuple(kept), absences=tuple(absences))


def plan_route(
    choices: Choices,
    outlooks: Mapping[str, Outlook],
    *,
    now: float,
    draw: Callable[[], float],
    affinity: Affinity | None = None,
    load: Load | None = None,
) -> RoutePlan:
    """Tier by tier: who has room, weights deciding within a tier, a warm cache before them.

    A deployment without an outlook has room. Where nobody is left but those that might refuse or
    fail, they are asked all the same, those first that are expected back first. `draw` gives
    uniform numbers in [0, 1).
    """
    candidates: list[Candidate] = []
    absences: list[Absence] = []
    doubtful: list[tuple[int, float, Candidate]] = []
    for tier, targets in enumerate(choices.tiers):
        contenders: list[Contender] = []
        for target in targets:
            name, outlook = target.deployment, outlooks.get(target.deployment, _OPEN)
            room = outlook.room
            if room.at <= now:
                weight = target.weight * outlook.factor
                contenders.append(Contender(name, weight, _wait_s(room)))
                continue
            absences.append(Absence(name, tier, room.reason, room.until, room.utilization))
            if not room.firm:
                doubtful.append((tier, room.until, Candidate(name, tier, room.utilization)))
        warm = affinity.among(contenders) if affinity and len(contenders) > 1 else None
        for each in choose(contenders, draw, warm):
            used = outlooks.get(each.name, _OPEN).room.utilization
            is_warm = warm is not None and warm.name == each.name
            made = Candidate(each.name, tier, used, each.weight, each.wait_s, is_warm)
            candidates.append(made)
    asked = tuple(candidates) or tuple(each for *_, each in sorted(doubtful, key=itemgetter(0, 1)))
    absent = (*absences, *choices.absences)
    return RoutePlan(
        asked,
        absent,
        load,
        affinity,
        last_resort=not candidates,
        spill_spent=choices.spill_spent,
    )


def _wait_s(room: Room) -> float:
    """How soon the next request will have to wait there; below a part of the capacity, not soon."""
    return max(0.0, (room.utilization or 0.0) - NEARLY_FULL) * _WHOLE_S
