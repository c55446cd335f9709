"""Which deployments may serve a request, in which order, and what is to be said when none may."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from app.domain.call.request import InferenceRequest, shown
from app.domain.capacity.demand import Load
from app.domain.capacity.shares import Claim, RequestClass
from app.domain.identity.route_policy import RoutePolicy
from app.domain.identity.tenant import Principal, Tenant
from app.domain.routing.deployment import Fleet, Target
from app.domain.routing.live_rules import UNCHANGED, LiveRules
from app.domain.routing.no_capacity import SPILL_SPENT, no_capacity, not_permitted
from app.domain.routing.operations import operated
from app.domain.routing.parameters import taking
from app.domain.routing.route import (
    NEVER,
    Choices,
    RoutePlan,
    choices_for,
    permitted,
    plan_route,
)
from app.errors import (
    BudgetExhausted,
    UnknownModel,
    UnknownPreviousResponse,
    UnknownResponse,
)
from app.observation import Observation
from app.ports import Clock
from app.standing import Standing
from app.waiting import WaitingRoom

#: Tenants of which is remembered what their policy comes to; beyond that all begin anew.
_MOST_KNOWN: Final = 10_000


class Waiting(msgspec.Struct, frozen=True):
    """Where requests wait for room, and for how long by class, seconds."""

    room: WaitingRoom
    patience_s: Mapping[RequestClass, float]


@dataclass(frozen=True, slots=True)
class _Known:
    """What a tenant's policy comes to, for as long as it is the same object."""

    policy: RoutePolicy
    claim: Claim
    choices: dict[str, Choices] = field(default_factory=dict)  # by model; each has its policy


class Routing:
    """Tiers from the config, what is possible from the tenant's policy, the rest from standing."""

    def __init__(
        self,
        fleet: Fleet,
        standing: Standing,
        clock: Clock,
        *,
        waiting: Waiting,
        draw: Callable[[], float],
        rules: LiveRules = UNCHANGED,
    ) -> None:
        """`draw` gives uniform numbers in [0, 1), for weights."""
        self._fleet = fleet
        self._standing = standing
        self._clock = clock
        self._waiting = waiting
        self._draw = draw
        self._rules = rules
        self._known: dict[str, _Known] = {}  # by tenant
        self._some_refuse = any(each.refuses for each in fleet.deployments.values())

    def choices(
        self, principal: Principal, request: InferenceRequest, owner: str | None
    ) -> Choices:
        """The deployments that may serve; `owner` is the only one that can, where there is one.

        Raises UnknownModel for a model that does not exist or is not this tenant's,
        UnknownResponse and UnknownPreviousResponse where the owner cannot serve any more,
        NowhereAllowed where the tenant's policy leaves nobody, InvalidApiKey where the tenant was
        disabled or deleted meanwhile, UnsupportedParameter where the models of those that are left
        do not take one that the request names.
        """
        tenant, model = principal.tenant, request.model
        if model and (tenant.models is not None or model not in self._fleet.models):
            self._refuse_unknown(model, tenant)
        known = self._known.get(tenant.name) or self._known_of(tenant)
        choices = known.choices.get(model) if owner is None else None
        if choices is None or choices.rules is not self._rules.version():
            choices = self._choices(known, tenant, model, owner)
        if self._some_refuse:
            return taking(choices, self._fleet.deployments, request.body)
        return choices

    def _choices(self, known: _Known, tenant: Tenant, model: str, owner: str | None) -> Choices:
        fleet = self._fleet
        if owner is None:
            tiers = fleet.models[model]
        else:
            self._refuse_retired(owner)
            if model:
                self._refuse_another_model(model, owner)
            tiers = ((Target(owner),),)
        version, policy = self._rules.version(), self._rules.policy(tenant)
        if policy is None:
            raise not_permitted(None)
        choices = replace(choices_for(tiers, fleet.deployments, policy), rules=version)
        if not choices.deployments:
            raise not_permitted(policy)
        if owner is None:
            known.choices[model] = choices
        return choices

    def _known_of(self, tenant: Tenant) -> _Known:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        known = _Known(tenant.routing, tenant.routing.claim(tenant.name))
        self._known[tenant.name] = known
        return known

    async def plan(
        self,
        principal: Principal,
        request: InferenceRequest,
        choices: Choices,
        observation: Observation,
    ) -> RoutePlan:
        """The order to ask them in, put into `observation`, too; waits a moment for room.

        Raises NoCapacity with the earliest time to return where nobody may be asked,
        BudgetExhausted where more money to spill would be the only help, and NowhereAllowed or
        InvalidApiKey where the tenant's policy has changed meanwhile and leaves nobody.
        """
        reservation = observation.reservation
        if reservation is not None and reservation.over and not reservation.may_spill:
            choices = choices.without_spill()
        tenant, load = principal.tenant, None
        if observation.demand is not None:  # it costs something
            known = self._known.get(tenant.name)
            if known is None or known.policy is not tenant.routing:
                known = self._known_of(tenant)
            load = Load(known.claim, observation.demand)
        plan = self._plan(principal, request, choices, load)
        if not plan.candidates or self._waiting.room.waiting:
            patience_s = self._waiting.patience_s[tenant.routing.request_class]
            plan = await self._waiting.room.planned(
                lambda: self._plan(principal, request, choices, load),
                importance=tenant.routing.request_class,
                patience_s=min(patience_s, self._wait_left(observation)),
                made=plan,
            )
        observation.plan = plan
        if not plan.candidates:
            if plan.spill_spent and reservation is not None and plan.until == NEVER:
                left_s = reservation.spills_again / 1000 - self._clock.unix()
                raise BudgetExhausted(SPILL_SPENT, retry_after_s=max(0.0, left_s))
            raise no_capacity(plan.absences, self._clock.now(), spill_spent=plan.spill_spent)
        return plan

    def _plan(
        self,
        principal: Principal,
        request: InferenceRequest,
        choices: Choices,
        load: Load | None,
    ) -> RoutePlan:
        # Here, too: who waited, to be admitted or for room, sees what has changed meanwhile.
        if choices.rules is not self._rules.version():
            choices = self._permitted(choices, principal.tenant)
        operations = self._rules.operations()
        if operations and not request.is_bound:
            choices = operated(choices, request.model, operations)
        standing, now = self._standing, self._clock.now()
        affinity = None
        if request.cache_key:
            affinity = standing.affinity(principal.tenant.name, request.cache_key, now)
        return plan_route(
            choices,
            standing.outlooks(choices.names, load, now),
            now=now,
            draw=self._draw,
            affinity=affinity,
            load=load,
        )

    def _permitted(self, choices: Choices, tenant: Tenant) -> Choices:
        """What the tenant's policy by now leaves of them."""
        version, policy = self._rules.version(), self._rules.policy(tenant)
        if policy is None:
            raise not_permitted(None)
        choices = replace(permitted(choices, self._fleet.deployments, policy), rules=version)
        if not choices.deployments and not choices.spill_spent:
            raise not_permitted(policy)
        return choices

    def _wait_left(self, observation: Observation) -> float:
        """Half of the time for which the client still waits: the answer takes some, too."""
        return max(0.0, (observation.awaited_until - self._clock.now()) / 2)

    def _refuse_unknown(self, model: str, tenant: Tenant) -> None:
        if model not in self._fleet.models or not tenant.may_use(model):
            raise UnknownModel(
                f"The model `{shown(model)}` does not exist or you do not have access to it."
            )

    def _refuse_another_model(self, model: str, owner: str) -> None:
        """The owner would answer with its own model, whatever this tenant may use and pays for."""
        tiers = self._fleet.models[model]
        if not any(each.deployment == owner for tier in tiers for each in tier):
            message = (
                f"The previous response is held by a deployment that does not serve `{model}`."
            )
            raise UnknownPreviousResponse(message, param="previous_response_id")

    def _refuse_retired(self, owner: str) -> None:
        if owner not in self._fleet.deployments:
            message = "The deployment that holds this response is no longer configured."
            raise UnknownResponse(message)
