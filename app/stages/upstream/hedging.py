"""Whether a stream that does not begin is asked for a second time, of whom, and who pays."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass, field
from typing import Protocol

from app.domain.call.request import InferenceRequest
from app.domain.routing.attempt import Attempt
from app.domain.routing.deployment import Deployment, Fleet
from app.domain.routing.first_tokens import FirstTokens
from app.domain.routing.hedge_policy import HedgePolicy, is_patient, may_stand_in
from app.domain.routing.retry_budget import RetryBudget
from app.domain.routing.route import Candidate, RoutePlan
from app.observation import Observation
from app.ports import Clock


class Bill(Protocol):
    """What one of two will have cost in vain, held until it is known which."""

    def charge(self, lost: Attempt) -> None:
        """Charge this one; the first of both methods counts."""
        ...

    def release(self) -> None:
        """Charge nothing."""
        ...


class Payer(Protocol):
    """The tenant's account."""

    async def hold(
        self, observation: Observation, deployments: tuple[str, str], tier: int
    ) -> Bill | None:
        """Hold what either may cost that loses; None where there is no room for it."""
        ...


@dataclass(frozen=True, slots=True)
class Hedging:
    """One configuration's policy; `budget` and `first_tokens` are a worker's."""

    policy: HedgePolicy
    first_tokens: FirstTokens
    budget: RetryBudget
    payer: Payer
    clock: Clock
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep)

    def started(self, observation: Observation, now: float) -> None:
        """A request came, which pays for a part of a hedge; what nobody sent pays nothing."""
        if observation.errand is None:
            self.budget.started(now)

    def delay_s(
        self, deployment: Deployment, request: InferenceRequest, observation: Observation
    ) -> float | None:
        """After how long without content another one is asked; None: it is not."""
        if not self._covers(request, observation) or is_patient(deployment):
            return None
        if self.policy.after_s is not None:
            return self.policy.after_s
        prompt, now = _prompt(observation), self.clock.now()
        return self.first_tokens.quantile(deployment.name, prompt, self.policy.part, now)

    def partners(
        self, one: Candidate, plan: RoutePlan, fleet: Fleet, asked: Container[str]
    ) -> list[Candidate]:
        """Who may be asked beside it, in the plan's order: of the same tier and kind."""
        ours = fleet.deployments[one.deployment]
        return [
            each
            for each in plan.candidates
            if each.tier == one.tier
            and each.deployment not in asked
            and may_stand_in(ours, fleet.deployments[each.deployment])
        ]

    async def bill(
        self, observation: Observation, deployments: tuple[str, str], tier: int
    ) -> Bill | None:
        """Pay for one more, out of the budget of all and the tenant's account; None: not to be had.

        The budget first without taking from it: the account is a round trip away.
        """
        if self.budget.left(self.clock.now()) < 1:
            return None
        bill = await self.payer.hold(observation, deployments, tier)
        if bill is not None and self.budget.try_spend(self.clock.now()) is None:
            bill.release()
            return None
        return bill

    def began(self, deployment: str, observation: Observation, seconds: float) -> None:
        """A stream's first content came so late, or had not come when it was given up."""
        request = observation.request
        if request is not None and self._covers(request, observation):
            self.first_tokens.add(deployment, _prompt(observation), seconds, self.clock.now())

    def _covers(self, request: InferenceRequest, observation: Observation) -> bool:
        principal, is_ours = observation.principal, observation.errand is not None
        if principal is None or is_ours or observation.reservation is None:
            return False
        return self.policy.covers(request, principal.tenant.routing.request_class)


def _prompt(observation: Observation) -> int:
    return observation.demand.prompt if observation.demand else 0
