"""What a probe found of one part of a config."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a part of a config is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One part of a config by its place, such as `deployments.ptu-east`, and what was found."""

    place: str
    state: State
    what: str
    seconds: float | None = None  # how long it took to answer
