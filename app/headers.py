"""What the gateway itself says of a request in the headers of its answer."""

from __future__ import annotations

from app.domain.quota.reservation import Reservation
from app.observation import Observation
from app.wire.rate_limits import rate_limit_headers


def own_headers(observation: Observation) -> dict[str, str]:
    """Where the answer came from, and the caller's own limits."""
    headers = {
        "x-spillgate-cache": observation.cache.result.value,
        "x-spillgate-spill": observation.spill.value,
        "x-spillgate-attempts": str(len(observation.attempts)),
    }
    if observation.reservation is not None:
        headers |= _own_limits(observation.reservation)
    return headers


def _own_limits(reservation: Reservation) -> dict[str, str]:
    """The caller's own rate limits, and what was out of the ordinary in granting the request."""
    left = zip(reservation.ask.limits, reservation.left, strict=False)  # degraded: not known
    headers = rate_limit_headers(left)
    if reservation.soft:
        headers["x-spillgate-over-limit"] = ", ".join(reservation.soft)
    if reservation.degraded:
        headers["x-spillgate-degraded"] = reservation.degraded
    return headers
