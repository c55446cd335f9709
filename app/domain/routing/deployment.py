"""A deployment of a model on an upstream, and a model's tiers of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Kind(StrEnum):
    """How a deployment is paid for, which decides how it refuses."""

    PTU = "ptu"
    PAYGO = "paygo"


class Api(StrEnum):
    """The URL shape that an upstream speaks (Azure: API version lifecycle, 2026-03)."""

    CLASSIC = "classic"
    V1 = "v1"
    OPENAI = "openai"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits of one upstream call, in seconds."""

    connect: float = 2.0
    first_byte: float = 60.0  # of a stream: until its first content
    idle: float = 60.0  # of a silence after it
    total: float = 600.0


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment; `name` is its key in the config, `azure_name` what Azure calls it."""

    name: str
    kind: Kind
    endpoint: str
    api: Api
    azure_name: str
    model: str
    api_version: str = ""
    region: str = ""
    data_zone: str = ""
    context_window: int | None = None
    tpm: int | None = None  # tokens per minute that Azure grants it, as configured
    timeouts: Timeouts = field(default_factory=Timeouts)
    refuses: frozenset[str] = frozenset()
    """Parameters of a request's body that its model does not take."""
    reasons: bool = False  # its model may be silent for minutes
    #: Of a call whose headers come with its whole answer.
    whole_timeouts: Timeouts = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        whole = replace(self.timeouts, first_byte=self.timeouts.total)
        object.__setattr__(self, "whole_timeouts", whole)


@dataclass(frozen=True, slots=True)
class Target:
    """A deployment's place in a tier; `weight` counts against its tier's others."""

    deployment: str
    weight: float = 1.0


Tiers = tuple[tuple[Target, ...], ...]


@dataclass(frozen=True, slots=True)
class Fleet:
    """All deployments, and by model alias the tiers that serve it: one snapshot of the config."""

    deployments: Mapping[str, Deployment]
    models: Mapping[str, Tiers]
