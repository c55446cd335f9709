"""When a deployment has room for a request.

Values that every request makes are structs: frozen dataclasses take ten times as long to make.
"""

from __future__ import annotations

import msgspec

from app.domain.capacity.spill import SpillReason


class Room(msgspec.Struct, frozen=True, gc=False):
    """From `at` on there is room, on the caller's clock; `reason` says why not before.

    `at` keeps a margin for what is not known, which is for requests that can go elsewhere; without
    it there is room from `earliest` on.

    Where it is not `firm`, the deployment is asked all the same if nobody else is left: what is
    believed of it is too vague to refuse a request by.

    `utilization` is the used part of the deployment's capacity, 1.0 being all; None: unknown.

    A hold of the deployment ends `sooner_s` seconds before its time: so much came back since.
    """

    at: float
    reason: SpillReason = SpillReason.NONE
    utilization: float | None = None
    firm: bool = True
    earliest: float | None = None
    sooner_s: float = 0.0

    @property
    def until(self) -> float:
        """When a request that can go nowhere else should be sent there."""
        return self.at if self.earliest is None else self.earliest
