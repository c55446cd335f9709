"""Deployments as bills and metrics of Azure name them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A configured deployment: what Azure calls it and its resource; lower case."""

    deployment: str
    azure_name: str
    resource: str
    is_ptu: bool = False
