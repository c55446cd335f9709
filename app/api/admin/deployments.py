"""Deployments as the admin API shows them."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, Field

from app.domain.deployment import Deployment, Fleet, Kind


class DeploymentState(BaseModel):
    """One deployment and what the gateway knows of it right now."""

    name: str
    kind: Kind
    model: str
    region: str
    data_zone: str
    held_for_ms: int = Field(description="how long it will not be asked; 0 when it may be")


class DeploymentList(BaseModel):
    """All deployments of the running configuration."""

    data: list[DeploymentState]


def list_deployments(fleet: Fleet, holds: Mapping[str, float], now: float) -> DeploymentList:
    """The list, in the order of the config; `holds` and `now` on the same monotonic clock."""
    states = [_state(item, holds.get(item.name, 0.0) - now) for item in fleet.deployments.values()]
    return DeploymentList(data=states)


def _state(deployment: Deployment, held_for_s: float) -> DeploymentState:
    return DeploymentState(
        name=deployment.name,
        kind=deployment.kind,
        model=deployment.model,
        region=deployment.region,
        data_zone=deployment.data_zone,
        held_for_ms=max(0, round(held_for_s * 1000)),
    )
