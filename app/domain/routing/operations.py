"""What operators have said of deployments, applied to where a request may go.

A draining deployment gets no new request; what runs on it goes on, and so do responses that are
stored on it. A weight stands in place of the configured one, within its tier.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from app.domain.identity.directory import DeploymentEntry, Directory
from app.domain.routing.deployment import Target
from app.domain.routing.route import Choices
from app.settings import Settings

Operations = Mapping[str, DeploymentEntry]


def operated(choices: Choices, model: str, operations: Operations) -> Choices:
    """What operators leave of the choices for `model`; the places of tiers stay as they are.

    Not for a stored response: only the deployment that holds it can serve it.
    """
    concerned = [name for name in choices.deployments if name in operations] if operations else ()
    if not concerned:
        return choices
    draining = {name for name in concerned if operations[name].draining}
    tiers = tuple(
        tuple(_weighted(target, model, operations) for target in tier) for tier in choices.tiers
    )
    weighted = replace(choices, tiers=tiers)
    if not draining:
        return weighted
    return weighted.only(lambda _tier, target: target.deployment not in draining)


def _weighted(target: Target, model: str, operations: Operations) -> Target:
    entry = operations.get(target.deployment)
    weight = entry.weights.get(model) if entry is not None else None
    return target if weight is None else replace(target, weight=weight)


def operation_differences(settings: Settings, directory: Directory) -> Iterator[str]:
    """Where deployments are operated otherwise than the configuration says, a line each."""
    for name, entry in directory.deployments.items():
        if name not in settings.deployments:
            continue
        if entry.draining:
            yield f"deployments.{name}: draining"
        for model, weight, configured in _weights(settings, entry):
            yield (
                f"models.{model}.tiers: {name} has weight {weight:g} in force, not {configured:g}"
            )


def _weights(settings: Settings, entry: DeploymentEntry) -> Iterator[tuple[str, float, float]]:
    """Models, weights in force, and configured ones, where they differ."""
    for model, weight in entry.weights.items():
        tiers = settings.tiers_of(model) if model in settings.models else ()
        for target in (each for tier in tiers for each in tier):
            if target.name == entry.name and target.weight != weight:
                yield model, weight, target.weight
