"""The order in which deployments are tried for a request, and why some are not.

Values that every request makes are structs: frozen dataclasses take ten times as long to make.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from operator import itemgetter
from typing import Final

import msgspec

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


class Candidate(msgspec.Struct, frozen=True, gc=False, eq=False):
    """A deployment that may be asked, with its tier counted from 0, and what ranked it there.

    Two are equal whatever ranked them.
    """

    deployment: str
    tier: int
    utilization: float | None = None  # as predicted; None where nothing is known of it
    weight: float | None = None  # None: it was not drawn by weight
    wait_s: float = 0.0  # expected until its first token
    is_warm: bool = False  # its cache may know the prompt

    @property
    def _compared(self) -> tuple[str, int, float | None]:
        return self.deployment, self.tier, self.utilization

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Candidate) and self._compared == other._compared

    def __hash__(self) -> int:
        return hash(self._compared)


class Absence(msgspec.Struct, frozen=True, gc=False):
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
    #: The policy that has been applied; many requests of a tenant have the same choices.
    policy: RoutePolicy | None = field(default=None, compare=False, repr=False)
    #: The version of the rules that it is of; None: it is not known.
    rules: object = field(default=None, compare=False, repr=False)
    #: The deployments of each tier, and all of them.
    names: tuple[tuple[str, ...], ...] = field(init=False, compare=False, repr=False)
    deployments: tuple[str, ...] = field(init=False, compare=False, repr=False)
    #: Whether anybody outside the first tier may serve.
    may_leave_first: bool = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        names = tuple(tuple(target.deployment for target in tier) for tier in self.tiers)
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "deployments", tuple(chain.from_iterable(names)))
        object.__setattr__(self, "may_leave_first", any(self.tiers[1:]))

    def only(self, keeps: Callable[[int, Target], bool]) -> Choices:
        """Those that are kept, asked for by tier and target; the others are absent, by policy.

        The places of tiers stay as they are.
        """
        tiers: list[tuple[Target, ...]] = []
        absences = list(self.absences)
        for tier, targets in enumerate(self.tiers):
            kept = tuple(each for each in targets if keeps(tier, each))
            tiers.append(kept)
            absences += [
                Absence(each.deployment, tier, SpillReason.POLICY, NEVER)
                for each in targets
                if each not in kept
            ]
        return replace(self, tiers=tuple(tiers), absences=tuple(absences))

    def without_spill(self) -> Choices:
        """The first tier alone, since nothing is left of a spill budget."""
        if not self.may_leave_first:
            return self
        return replace(self.only(lambda tier, _target: not tier), spill_spent=True)


class Affinity(msgspec.Struct, frozen=True, gc=False):
    """Where a conversation's prompt may be cached: on `warm`, else where its key always goes."""

    key: bytes
    warm: str | None = None

    def among(self, contenders: Sequence[Contender]) -> Warm | None:
        """Whom to ask first of those that have room; never anybody else."""
        weights = {each.name: each.weight for each in contenders}
        name = self.warm if self.warm in weights else preferred(self.key, weights)
        return None if name is None else Warm(name, WARM_S)


class RoutePlan(msgspec.Struct, frozen=True, eq=False):
    """Candidates in the order they are tried, and the reason for each absence.

    Two are equal whenever they were made.
    """

    candidates: tuple[Candidate, ...]
    absences: tuple[Absence, ...] = ()
    load: Load | None = None  # None: it costs nothing
    affinity: Affinity | None = None
    last_resort: bool = False  # nobody was expected to serve: all are asked in the end
    spill_spent: bool = False  # as of the choices
    waited_s: float | None = None  # in line; None: it did not wait
    rules: object = None  # the version of those that it was made by; None: it is not known
    made_at: float = -math.inf  # on the caller's clock, seconds; nobody knows of an older one

    @property
    def _compared(self) -> tuple[object, ...]:
        asked = self.candidates, self.absences, self.load, self.affinity
        return *asked, self.last_resort, self.spill_spent

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RoutePlan) and self._compared == other._compared

    def __hash__(self) -> int:
        return hash(self._compared)

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
        absent = (*absences, *self.absences)
        return msgspec.structs.replace(self, candidates=candidates, absences=absent)

    @property
    def until(self) -> float:
        """When the first of those that are absent may serve; NEVER where none will."""
        return min((absence.until for absence in self.absences), default=NEVER)


class Outlook(msgspec.Struct, frozen=True, gc=False):
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
    if choices.policy is policy:
        return choices
    if policy.admits_all:
        return replace(choices, policy=policy)
    left = choices.only(lambda tier, each: policy.admits(deployments[each.deployment], tier))
    return replace(left, policy=policy)


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
        ready: list[Candidate] = []
        for target in targets:
            name = target.deployment
            outlook = outlooks.get(name, _OPEN)
            room = outlook.room
            used = room.utilization
            if room.at <= now:
                wait_s = (used - NEARLY_FULL) * _WHOLE_S if used and used > NEARLY_FULL else 0.0
                ready.append(Candidate(name, tier, used, target.weight * outlook.factor, wait_s))
                continue
            absences.append(Absence(name, tier, room.reason, room.until, used))
            if not room.firm:
                doubtful.append((tier, room.until, Candidate(name, tier, used)))
        candidates += _ranked(ready, draw, affinity) if len(ready) > 1 else ready
    return RoutePlan(
        tuple(candidates) or tuple(each for *_, each in sorted(doubtful, key=itemgetter(0, 1))),
        (*absences, *choices.absences),
        load,
        affinity,
        not candidates,
        choices.spill_spent,
        None,
        choices.rules,
        now,
    )


def _ranked(
    ready: list[Candidate], draw: Callable[[], float], affinity: Affinity | None
) -> list[Candidate]:
    """Those of a tier that have room, in the order to ask in."""
    contenders = [Contender(each.deployment, each.weight or 0.0, each.wait_s) for each in ready]
    warm = affinity.among(contenders) if affinity is not None else None
    by_name = {each.deployment: each for each in ready}
    if warm is not None and warm.name in by_name:
        by_name[warm.name] = msgspec.structs.replace(by_name[warm.name], is_warm=True)
    return [by_name[each.name] for each in choose(contenders, draw, warm)]
