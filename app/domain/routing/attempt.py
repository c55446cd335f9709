"""What an upstream's answer means for the request: accept it, move on, or pass the refusal on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from http import HTTPStatus
from operator import itemgetter
from typing import Final

import msgspec

from app.domain.capacity.spill import SpillReason
from app.domain.routing.deployment import Kind
from app.domain.routing.route import Absence
from app.domain.routing.throttle import ThrottleClass

#: From this status on no model was at work: a redirect, a refusal, a failure. It is a plain number,
#: because an HTTPStatus is looked up by a function each time.
FIRST_REFUSAL: Final = int(HTTPStatus.MULTIPLE_CHOICES)
#: Codes of errors inside a 200 stream that mean "throttled" (seen on Azure's Responses streams).
THROTTLE_CODES = frozenset({"rate_limit_exceeded", "no_capacity", "too_many_requests", "429"})
#: Codes of a 404 that concern our own configuration, not the caller's request.
_WRONG_DEPLOYMENT = frozenset({"DeploymentNotFound", "404"})
#: Codes inside a stream by which a server says that it failed (openai-python 2.54, ResponseError;
#: the internal ones recorded of Azure). HTTP's own 408 and 5xx are some servers' codes, too.
SERVERS_FAULT = frozenset(
    {"server_error", "vector_store_timeout", "internal_error", "internal_server_error"}
)
_FAILED_STATUS: Final = re.compile("408|5[0-9]{2}")
_NOT_LET_IN = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
#: Codes of a refusal of the gateway that may be of one operation only: an API version without that
#: path, a role without that data action.
OF_ONE_OPERATION = frozenset({"404", "PermissionDenied"})
_TOO_LONG = "context_length_exceeded"
_NO_SPILL: Final = SpillReason.NONE


class Verdict(StrEnum):
    """What to do with an upstream's answer, or with its absence."""

    ACCEPT = "accept"  # this is the answer, a refusal of the request itself included
    THROTTLED = "throttled"  # hold this deployment, try the next
    FAILED = "failed"  # try the next, within the budget for errors
    MISCONFIGURED = "misconfigured"  # our credential, name or URL is wrong: try the next, alarm
    TOO_LONG = "too_long"  # only a deployment with a larger context window can serve it
    HEDGED = "hedged"  # another one that was asked beside it answered first: it was given up


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One deployment asked once; times are on the gateway's monotonic clock, seconds."""

    deployment: str
    tier: int
    verdict: Verdict
    status: int | None  # None: no answer came
    started: float
    ended: float
    code: str | None = None
    retry_after_s: float | None = None
    upstream_request_id: str | None = None
    kind: Kind | None = None
    throttle: ThrottleClass | None = None  # why it refused, where it did
    native_spillover_from: str | None = None  # Azure itself moved it away from this deployment
    utilization: float | None = None  # as the answer told it, 1.0 being all of a PTU
    span_id: str = ""  # its own in the request's trace; empty: there is none


def judge(status: int, code: str | None) -> Verdict:
    """The verdict on an answer's status and error code; total over 100 to 599.

    Azure's own fail-over advice: 429 is a redirect, not an error; 408 and 5xx are worth another
    deployment; what is wrong with the request itself is wrong everywhere.
    """
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Verdict.THROTTLED
    if status in _NOT_LET_IN or (status == HTTPStatus.NOT_FOUND and code in _WRONG_DEPLOYMENT):
        return Verdict.MISCONFIGURED
    if status == HTTPStatus.BAD_REQUEST and code == _TOO_LONG:
        return Verdict.TOO_LONG
    if status == HTTPStatus.REQUEST_TIMEOUT or status // 100 in {1, 3, 5}:
        return Verdict.FAILED
    return Verdict.ACCEPT


def judge_stream_error(code: str | None) -> Verdict:
    """The verdict on an error that arrived inside a 200 stream before any content.

    A code that is not known is the request's own: images that cannot be read and policies that do
    not allow it are told so, and there are more of them each year. Taken for failures, one
    tenant's would be asked for everywhere, and put deployments out for all others.
    """
    if code in THROTTLE_CODES:
        return Verdict.THROTTLED
    return Verdict.FAILED if _is_servers_fault(code) else Verdict.ACCEPT


def _is_servers_fault(code: str | None) -> bool:
    """Where there is no code, or words in its place, nothing says that it is the request's."""
    if not code or len(code.split()) != 1:
        return True
    return code in SERVERS_FAULT or _FAILED_STATUS.fullmatch(code) is not None


def spill_reason(verdict: Verdict) -> SpillReason:
    """Why an answer that was not accepted made the request move on."""
    return SpillReason.THROTTLED if verdict is Verdict.THROTTLED else SpillReason.ERROR


def spill_of(
    served_tier: int, attempts: Sequence[Attempt], absences: Sequence[Absence]
) -> SpillReason:
    """Why a request left its first tier: what happened to the first deployment that was passed."""
    if served_tier:  # the first is tier 0: nothing comes before it
        passed = [(absence.tier, absence.reason) for absence in absences]
        passed += [(attempt.tier, spill_reason(attempt.verdict)) for attempt in attempts]
        tier, reason = min(passed, key=itemgetter(0), default=(served_tier, _NO_SPILL))
        if tier < served_tier:
            return reason
    if attempts and attempts[-1].native_spillover_from:
        return SpillReason.THROTTLED
    return _NO_SPILL
