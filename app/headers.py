"""What the gateway itself says of a request in the headers of its answer."""

from __future__ import annotations

from app.domain.policy.findings import PolicyKind
from app.domain.quota.reservation import Reservation
from app.observation import Observation
from app.wire.rate_limits import add_rate_limits


def add_own_headers(headers: dict[str, str], observation: Observation) -> None:
    """Where the answer came from, and the caller's own limits."""
    headers["x-spillgate-cache"] = observation.cache.result
    headers["x-spillgate-spill"] = observation.spill
    headers["x-spillgate-attempts"] = str(len(observation.attempts))
    if observation.reservation is not None:
        _add_own_limits(headers, observation.reservation)
    found = observation.findings
    if found and any(each.kind is PolicyKind.UNCHECKED for each in found):
        _add_unchecked(headers)


def _add_own_limits(headers: dict[str, str], reservation: Reservation) -> None:
    """The caller's own rate limits, and what was out of the ordinary in granting the request."""
    left = zip(reservation.ask.limits, reservation.left, strict=False)  # degraded: not known
    add_rate_limits(headers, left)
    if reservation.over and (soft := reservation.soft):
        headers["x-spillgate-over-limit"] = ", ".join(soft)
    if reservation.degraded:
        headers["x-spillgate-degraded"] = reservation.degraded


def _add_unchecked(headers: dict[str, str]) -> None:
    """What stands in the header beside a policy of the account's."""
    found = headers.get("x-spillgate-degraded")
    headers["x-spillgate-degraded"] = f"{found}, unchecked" if found else "unchecked"
