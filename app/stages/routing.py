"""Which deployments may serve a request, in which order, and what is to be said when none may."""

from __future__ import annotations

from collections.abc import Callable

from app.domain.deployment import Fleet
from app.domain.request import InferenceRequest
from app.domain.route import RoutePlan, pinned_route, plan_route
from app.domain.tenant import Principal
from app.errors import NoCapacity, UnknownModel, UnknownResponse
from app.ports import Clock, HoldBoard


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

    def plan(self, principal: Principal, request: InferenceRequest, owner: str | None) -> RoutePlan:
        """The plan; `owner` is the only deployment that can serve, where there is one.

        Raises UnknownModel for a model that does not exist or is not this tenant's, NoCapacity
        with the earliest time to return when every candidate is held.
        """
        holds, now = self._holds.holds(), self._clock.now()
        if request.model:
            self._refuse_unknown(principal, request.model)
        if owner is not None:
            self._refuse_retired(owner)
            plan = pinned_route(owner, holds=holds, now=now)
        else:
            tiers = self._fleet.models[request.model]
            plan = plan_route(tiers, holds=holds, now=now, draw=self._draw)
        if not plan.candidates:
            raise _all_held(plan, now)
        return plan

    def _refuse_unknown(self, principal: Principal, model: str) -> None:
        if model not in self._fleet.models or not principal.tenant.may_use(model):
            message = f"The model `{model}` does not exist or you do not have access to it."
            raise UnknownModel(message)

    def _refuse_retired(self, owner: str) -> None:
        if owner not in self._fleet.deployments:
            message = "The deployment that holds this response is no longer configured."
            raise UnknownResponse(message)


def _all_held(plan: RoutePlan, now: float) -> NoCapacity:
    wait = min(absence.until for absence in plan.absences) - now
    message = "Every deployment of this model is at capacity. Please retry after the given time."
    return NoCapacity(message, retry_after_s=wait)
