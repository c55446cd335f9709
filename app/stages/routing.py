"""Which deployments may serve a request, in which order, and what is to be said when none may."""

from __future__ import annotations

from collections.abc import Callable

from app.domain.deployment import Fleet, Target, Tiers
from app.domain.request import InferenceRequest
from app.domain.route import RoutePlan, plan_route
from app.domain.tenant import Principal
from app.errors import NoCapacity, UnknownModel, UnknownPreviousResponse, UnknownResponse
from app.ports import Clock, HoldBoard


class AllHeld(NoCapacity):
    """Nobody may be asked; `plan` says why, for the receipt."""

    def __init__(self, plan: RoutePlan, now: float) -> None:
        wait = min(absence.until for absence in plan.absences) - now
        when = "Please retry after the given time."
        super().__init__(
            f"Every deployment of this model is at capacity. {when}", retry_after_s=wait
        )
        self.plan = plan


class Routing:
    """Tiers from the config, holds from the board."""

    def __init__(
        self, fleet: Fleet, holds: HoldBoard, clock: Clock, draw: Callable[[], float]
    ) -> None:
        """`draw` gives uniform numbers in [0, 1), for weights."""
        self._fleet = fleet
        self._holds = holds
        self._clock = clock
        self._draw = draw

    def tiers(self, principal: Principal, request: InferenceRequest, owner: str | None) -> Tiers:
        """The deployments that may serve; `owner` is the only one that can, where there is one.

        Raises UnknownModel for a model that does not exist or is not this tenant's,
        UnknownResponse and UnknownPreviousResponse where the owner cannot serve any more.
        """
        if request.model:
            self._refuse_unknown(principal, request.model)
        if owner is None:
            return self._fleet.models[request.model]
        self._refuse_retired(owner)
        if request.model:
            self._refuse_another_model(request.model, owner)
        return ((Target(owner),),)

    def plan(self, tiers: Tiers) -> RoutePlan:
        """The order to ask them in.

        Raises AllHeld with the earliest time to return when every candidate is held.
        """
        holds, now = self._holds.holds(), self._clock.now()
        plan = plan_route(tiers, holds=holds, now=now, draw=self._draw)
        if not plan.candidates:
            raise AllHeld(plan, now)
        return plan

    def _refuse_unknown(self, principal: Principal, model: str) -> None:
        if model not in self._fleet.models or not principal.tenant.may_use(model):
            message = f"The model `{model}` does not exist or you do not have access to it."
            raise UnknownModel(message)

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
