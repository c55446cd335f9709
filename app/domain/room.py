"""When a deployment has room for a request."""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.spill import SpillReason


@dataclass(frozen=True, slots=True)
class Room:
    """From `at` on there is room, on the caller's clock; `reason` says why not before.

    `utilization` is the used part of the deployment's capacity, 1.0 being all; None: unknown.
    """

    at: float
    reason: SpillReason = SpillReason.NONE
    utilization: float | None = None
