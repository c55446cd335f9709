"""What the gateway itself says of a request in the headers of its answer.

What else a client gets: `stages/relay.py` names the upstream's own headers that pass, and who
answered; `errors.py` and `api/rendering.py` have those of refusals; `api/reply.py` and
`api/answer_head.py` those of every answer. No other header of an upstream reaches a tenant.
"""

from __future__ import annotations

from app.domain.policy.findings import PolicyKind
from app.domain.quota.reservation import Reservation
from app.observation import Observation
from app.wire.rate_limits import RateLimits


def add_own_headers(
    headers: dict[str, str], observation: Observation, rate_limits: RateLimits
) -> None:
    """Where the answer came from, and the caller's own limits."""
    headers["x-spillgate-cache"] = observation.cache.result
    headers["x-spillgate-spill"] = observation.spill
    headers["x-spillgate-attempts"] = str(len(observation.attempts))
    reservation = observation.reservation
    if reservation is not None:
        rate_limits.add(headers, reservation.ask.limits, reservation.left)
        if reservation.over or reservation.degraded:
            _add_uncommon(headers, reservation)
    found = observation.findings
    if found and any(each.kind is PolicyKind.UNCHECKED for each in found):
        _add_unchecked(headers)


def _add_uncommon(headers: dict[str, str], reservation: Reservation) -> None:
    """What was out of the ordinary in granting the request."""
    if reservation.over and (soft := reservation.soft):
        headers["x-spillgate-over-limit"] = ", ".join(soft)
    if reservation.degraded:
        headers["x-spillgate-degraded"] = reservation.degraded


def _add_unchecked(headers: dict[str, str]) -> None:
    """What stands in the header beside a policy of the account's."""
    found = headers.get("x-spillgate-degraded")
    headers["x-spillgate-degraded"] = f"{found}, unchecked" if found else "unchecked"
