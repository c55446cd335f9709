"""Deployments as the admin API shows them: what is configured, what is known, what was said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import BaseModel, Field

from app.domain.identity.directory import DeploymentEntry
from app.domain.routing.deployment import Deployment, Fleet, Kind
from app.domain.routing.health import HEALTHY, State, Status


class Operated(StrEnum):
    """What operators have made of a deployment."""

    ENABLED = "enabled"
    DRAINING = "draining"  # no new requests; what runs or is stored on it goes on


class CapacityView(BaseModel):
    """As configured; null where nothing is."""

    ptus: int | None = None
    tpm: int | None = None
    rpm: int | None = None


class HealthView(BaseModel):
    """What the worker that answers thinks of it, from its own requests."""

    status: Status
    until: float | None = Field(description="end of an ejection or ramp, Unix seconds")
    weight_factor: float = Field(description="the part of its weight that counts, 0 to 1")


class ServedView(BaseModel):
    """A model that it serves, and its place there."""

    model: str
    tier: int = Field(description="from 0")
    weight: float = Field(description="in force, against others of the tier")
    configured_weight: float


class DeploymentState(BaseModel):
    """One deployment and what the gateway knows of it right now."""

    name: str
    kind: Kind
    model: str
    region: str
    data_zone: str
    capacity: CapacityView
    state: Operated
    lowered_tpm: int | None = Field(
        description="tokens a minute that Azure lets in for now, where fewer than configured"
    )
    utilization: float | None = Field(
        description="predicted used part of the capacity, 1.0 being all; null: unknown"
    )
    held_for_ms: int = Field(description="how long it will not be asked; 0 when it may be")
    held_until: float | None = Field(description="the same as Unix seconds")
    health: HealthView
    shares: dict[str, float] = Field(
        description="of a PTU: by tenant that asks, the part that it is entitled to"
    )
    serves: list[ServedView]
    version: int = Field(description="for If-Match; 0 where nothing was ever changed")


class DeploymentList(BaseModel):
    """All deployments of the running configuration."""

    data: list[DeploymentState]


@dataclass(frozen=True, slots=True)
class Live:
    """What one worker knows at one moment, by deployment; times on its monotonic clock, seconds.

    `unix` is the same moment as Unix time.
    """

    now: float
    unix: float
    holds: Mapping[str, float] = field(default_factory=dict)
    utilizations: Mapping[str, float] = field(default_factory=dict)
    lowered_tpm: Mapping[str, int] = field(default_factory=dict)
    health: Mapping[str, State] = field(default_factory=dict)
    shares: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    operations: Mapping[str, DeploymentEntry] = field(default_factory=dict)

    def moment(self, then: float) -> float:
        """A later moment as Unix time."""
        return self.unix + then - self.now


def list_deployments(
    fleet: Fleet, capacities: Mapping[str, CapacityView], live: Live
) -> DeploymentList:
    """The list, in the order of the config."""
    each = fleet.deployments.values()
    return DeploymentList(data=[_state(item, fleet, capacities, live) for item in each])


def entry_of(name: str, operations: Mapping[str, DeploymentEntry]) -> DeploymentEntry:
    """What operators have said of it; at version 0 where they never have."""
    return operations.get(name) or DeploymentEntry(name, version=0)


def _state(
    deployment: Deployment, fleet: Fleet, capacities: Mapping[str, CapacityView], live: Live
) -> DeploymentState:
    name, entry = deployment.name, entry_of(deployment.name, live.operations)
    held_until = live.holds.get(name, 0.0)
    held_for_s = max(0.0, held_until - live.now)
    return DeploymentState(
        name=name,
        kind=deployment.kind,
        model=deployment.model,
        region=deployment.region,
        data_zone=deployment.data_zone,
        capacity=capacities.get(name, CapacityView()),
        state=Operated.DRAINING if entry.draining else Operated.ENABLED,
        lowered_tpm=live.lowered_tpm.get(name),
        utilization=live.utilizations.get(name),
        held_for_ms=round(held_for_s * 1000),
        held_until=live.moment(held_until) if held_for_s else None,
        health=_health(live.health.get(name, HEALTHY), live),
        shares=dict(live.shares.get(name, {})),
        serves=list(_served(entry, fleet)),
        version=entry.version,
    )


def _health(state: State, live: Live) -> HealthView:
    has_end = state.status in {Status.EJECTED, Status.RAMPING}
    return HealthView(
        status=state.status,
        until=live.moment(state.until) if has_end else None,
        weight_factor=state.factor if state.status is not Status.EJECTED else 0.0,
    )


def _served(entry: DeploymentEntry, fleet: Fleet) -> Iterator[ServedView]:
    for model, tiers in fleet.models.items():
        for number, targets in enumerate(tiers):
            for target in targets:
                if target.deployment == entry.name:
                    weight = entry.weights.get(model, target.weight)
                    yield ServedView(
                        model=model, tier=number, weight=weight, configured_weight=target.weight
                    )
