"""Whom a tenant's policy permits by now: it may have changed while others were tried."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final, NamedTuple

from app.domain.identity.tenant import Tenant
from app.domain.routing.deployment import Fleet
from app.domain.routing.live_rules import UNCHANGED, LiveRules
from app.domain.routing.no_capacity import not_permitted
from app.domain.routing.route import NEVER, Absence, Candidate, RoutePlan
from app.errors import RequestError


class Permission(NamedTuple):
    """One request's, asked before each attempt; without a tenant it may go anywhere."""

    fleet: Fleet
    rules: LiveRules = UNCHANGED
    tenant: Tenant | None = None

    def permits(self, place: Candidate | Absence) -> bool:
        """Whether it may be sent there, now or as soon as there is room."""
        if self.tenant is None:
            return True
        policy = self.rules.policy(self.tenant)
        deployment = self.fleet.deployments[place.deployment]
        return policy is not None and policy.admits(deployment, place.tier)

    def left(self, plan: RoutePlan) -> list[str]:
        """Those of the plan whom it permits, now or later."""
        late = (each for each in plan.absences if each.until < NEVER)
        places: Iterator[Candidate | Absence] = chain(plan.candidates, late)
        return [each.deployment for each in places if self.permits(each)]

    def refusal(self, plan: RoutePlan) -> RequestError | None:
        """What is to be said where it permits nobody of the plan any more; else None."""
        if self.tenant is None or self.left(plan):
            return None
        return not_permitted(self.rules.policy(self.tenant))


#: Of a request that has no tenant.
ANYBODY: Final = Permission(Fleet({}, {}))
