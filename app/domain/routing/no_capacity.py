"""What a request is told that nobody may be asked for: why, and when to come back."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from app.domain.capacity.spill import SpillReason
from app.domain.identity.route_policy import RoutePolicy
from app.domain.routing.route import Absence
from app.errors import InvalidApiKey, NoCapacity, NowhereAllowed, RequestError

#: Why the deployment that will have room first has none, in words.
_WHY: Final = {
    SpillReason.HELD: "it asked not to be asked",
    SpillReason.PREDICTED: "it is full",
    SpillReason.SHARE: "what is left of it is other tenants' part",
    SpillReason.SIZE: "this request is so large that it would block others",
    SpillReason.UNHEALTHY: "it fails",
}
#: What a tenant is told whose request waits in the first tier for want of money.
SPILL_SPENT: Final = "This tenant's spill budget is used up."


def no_capacity(
    absences: Iterable[Absence], now: float, *, spill_spent: bool = False
) -> NoCapacity:
    """Nobody may be asked now: when somebody may, by what is known, and why not before."""
    first = min(absences, key=lambda absence: absence.until, default=None)
    message = "Every deployment of this model that this request may use is at capacity"
    if first is None:
        return NoCapacity(f"{message}. Please retry.")
    if not math.isfinite(first.until):
        message = "No deployment of this model may serve this request."
        return NoCapacity(message, retry_after_s=None, reason=SpillReason.POLICY.value)
    why = _WHY.get(first.reason, "it refused")
    spent = f" {SPILL_SPENT}" if spill_spent else ""
    message = (
        f"{message}; of the one that has room first, {why}.{spent} "
        "Please retry after the given time."
    )
    wait_s = max(0.0, first.until - now)
    return NoCapacity(message, retry_after_s=wait_s, reason=first.reason.value)


def not_permitted(policy: RoutePolicy | None) -> RequestError:
    """The tenant's policy leaves nobody; None: the tenant may not ask for anything any more.

    A tenant's own policy is no secret to it; what deployments there are is.
    """
    if policy is None:
        message = "The tenant was disabled or deleted before its request was served."
        return InvalidApiKey(message)
    named = {"data zones": policy.data_zones, "regions": policy.regions}
    bound = [f"{what} {', '.join(sorted(names))}" for what, names in named.items() if names]
    within = " and ".join(bound) or "deployments that its policy allows"
    return NowhereAllowed(
        f"No deployment of this model may serve this tenant: its requests stay in the {within}."
    )
