"""Deployments: listed and read with their live state, drained, enabled, weighted."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter, Response
from pydantic import Field

from app.api.admin.changing import IfMatch, show_version, update
from app.api.admin.deployments import DeploymentList, DeploymentState, Operated, entry_of
from app.api.admin.guard import CallerOf, needs
from app.api.admin.roles import Action
from app.api.admin.services import AdminServices
from app.api.admin.shapes import Body, Changed, InForceView, Item
from app.domain.identity.directory import DeploymentEntry
from app.errors import MalformedRequest, UnknownEntry
from app.settings.section import Name
from app.settings.tenancy import Weight

_ONE = "/deployments/{deployment}"


class DeploymentChange(Body):
    """What is to be otherwise; a field or model that is not sent stays as it is."""

    state: Operated = Operated.ENABLED
    weights: dict[Name, Weight | None] = Field(
        default_factory=dict, description="by model; null: as configured"
    )

    def changed(self, entry: DeploymentEntry) -> DeploymentEntry:
        """The entry as it is to be."""
        merged = {**entry.weights, **self.weights}
        weights = {model: weight for model, weight in merged.items() if weight is not None}
        is_said = "state" in self.model_fields_set
        draining = self.state is Operated.DRAINING if is_said else entry.draining
        return replace(entry, draining=draining, weights=weights)


def add_deployment_routes(router: APIRouter, services: AdminServices) -> None:
    """Put them on the router."""

    @router.get("/deployments", openapi_extra=needs(Action.READ_DEPLOYMENTS))
    async def list_deployments() -> DeploymentList:
        """Every deployment as it is now, as this worker knows it; holds and rooms are shared."""
        return services.deployments()

    @router.get(_ONE, openapi_extra=needs(Action.READ_DEPLOYMENTS))
    async def read_deployment(deployment: str, response: Response) -> Item[DeploymentState]:
        """One deployment; `ETag` is the version of what operators have said of it."""
        show_version(response, _entry(services, deployment))
        return Item(data=_state(services, deployment))

    @router.patch(_ONE, openapi_extra=needs(Action.WRITE_DEPLOYMENTS))
    async def change_deployment(
        caller: CallerOf,
        deployment: str,
        body: DeploymentChange,
        version: IfMatch,
        response: Response,
    ) -> Changed[DeploymentState]:
        """Drain or enable a deployment, or change its weights, on all replicas.

        A draining one gets no new request; streams under way and responses stored on it go on.
        """
        _check_models(_state(services, deployment), body)
        entry, in_force = await update(
            services.store,
            lambda: _entry(services, deployment),
            body.changed,
            caller=caller,
            version=version,
        )
        show_version(response, entry)
        data = _state(services, deployment)
        return Changed(data=data, in_force=InForceView.of(in_force))


def _entry(services: AdminServices, name: str) -> DeploymentEntry:
    _state(services, name)
    return entry_of(name, services.store.current.deployments)


def _state(services: AdminServices, name: str) -> DeploymentState:
    """One that is configured. Raises UnknownEntry."""
    for state in services.deployments().data:
        if state.name == name:
            return state
    raise UnknownEntry(f"There is no deployment {name[:64]!r}.")


def _check_models(state: DeploymentState, body: DeploymentChange) -> None:
    """Raise MalformedRequest for a model that it does not serve: a weight there means nothing."""
    served = {place.model for place in state.serves}
    for model in body.weights:
        if model not in served:
            there = ", ".join(sorted(served)) or "none"
            message = f"weights: {state.name!r} does not serve {model!r}; it serves: {there}."
            raise MalformedRequest(message, param="weights")
