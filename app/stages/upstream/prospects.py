"""What is left of a plan while it is worked off: who may be asked now, and who later."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field

from app.domain.capacity.spill import SpillReason
from app.domain.routing.deployment import Fleet
from app.domain.routing.health import availability
from app.domain.routing.no_capacity import no_capacity
from app.domain.routing.operations import Operations
from app.domain.routing.route import NEVER, Absence, Candidate, RoutePlan
from app.errors import NoCapacity, RequestError
from app.stages.upstream.judging import Asker, Judging
from app.stages.upstream.permission import ANYBODY, Permission


@dataclass(slots=True)
class Prospects:
    """One search's. A request may turn out to need a window larger than `needs_window` tokens."""

    plan: RoutePlan
    asker: Asker
    judging: Judging
    fleet: Fleet
    operations: Callable[[], Operations]
    permission: Permission = ANYBODY
    needs_window: float = 0.0
    _askable: frozenset[str] | None = field(default=None, init=False)
    _is_well: bool | None = field(default=None, init=False)  # nobody is kept out

    def time_passed(self) -> None:
        """What was looked up of failures may have changed; between two attempts it holds."""
        self._askable = self._is_well = None

    def absence(self, candidate: Candidate, now: float) -> Absence | None:
        """What has happened to it since it was planned, or to the whole plan."""
        name, tier = candidate.deployment, candidate.tier
        if not self.permission.permits(candidate) or self._is_drained(name):
            return Absence(name, tier, SpillReason.POLICY, NEVER)
        room = self.judging.standing.refusal(name, self.plan.load, now)
        if room is not None:
            return Absence(name, tier, room.reason, room.until, room.utilization)
        if self._is_well is None:
            self._is_well = self.judging.all_well
        if not self._is_well and self._is_kept_out(candidate, now):
            return Absence(name, tier, SpillReason.UNHEALTHY, now)
        return None

    def is_large_enough(self, name: str) -> bool:
        """Whether its window may be, by what is known."""
        return not self.needs_window or self.window(name) > self.needs_window

    def window(self, name: str) -> float:
        """Tokens; 0 where it is not known."""
        return self.fleet.deployments[name].context_window or 0.0

    def left(self) -> list[str]:
        """Those of the plan that could serve the request if only they had room."""
        names = self.permission.left(self.plan)
        return [name for name in names if self.is_large_enough(name) and not self._is_drained(name)]

    def no_capacity(self, now: float) -> NoCapacity | RequestError:
        """Everybody is held by now: say when the first one is free again.

        Where the tenant's policy has changed and permits nobody any more, that is said.
        """
        names, plan = self.left(), self.plan
        if not names:
            return self.permission.refusal(plan) or no_capacity(
                [Absence("", 0, SpillReason.POLICY, NEVER)], now
            )
        outlooks = self.judging.standing.outlooks((names,), plan.load, now).items()
        return no_capacity(
            (Absence(name, 0, each.room.reason, each.room.until) for name, each in outlooks),
            now,
            spill_spent=plan.spill_spent,
        )

    def _is_drained(self, name: str) -> bool:
        """Who holds a stored response is the only one, and serves it even while it drains."""
        operations = self.operations()
        operated = operations.get(name) if operations else None
        if operated is None or not operated.draining:
            return False
        is_alone = len(self.plan.candidates) + len(self.plan.absences) == 1
        return not is_alone

    def _is_kept_out(self, candidate: Candidate, now: float) -> bool:
        """It failed since it was planned, or fails such requests, and there are others."""
        if self.plan.last_resort:
            return False
        if self._askable is None:
            self._askable = frozenset(self._that_may_be_asked(now))
        is_askable = candidate.deployment in self._askable
        return not is_askable and any(map(self.is_large_enough, self._askable))

    def _that_may_be_asked(self, now: float) -> Iterator[str]:
        health, doubts = self.judging.standing.health, self.judging.doubts
        absent: dict[int, Container[str]] = {}
        for candidate in self.plan.candidates:
            name, tier = candidate.deployment, candidate.tier
            if not doubts.may_ask(name, self.asker.scopes, now):
                continue
            if health.may_ask(name, now):
                yield name
                continue
            if tier not in absent:
                absent[tier] = availability(self.plan.beside(candidate), health, now).absent
            if name not in absent[tier]:  # one too many of its tier to be kept out
                yield name
