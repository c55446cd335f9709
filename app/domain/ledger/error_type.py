"""What kind of error a request ended with, and whose fault it was: closed sets.

Metrics, the log line and the request's span have the same word for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from app.domain.capacity.spill import SpillReason
from app.domain.ledger.completion import Outcome, Receipt
from app.domain.routing.attempt import THROTTLE_CODES, Verdict


class Fault(StrEnum):
    """Who has to do something about it."""

    CLIENT = "client"
    POLICY = "policy"  # a limit or rule that somebody set for this tenant
    CAPACITY = "capacity"  # no deployment had room
    UPSTREAM = "upstream"
    GATEWAY = "gateway"


class ErrorType(StrEnum):
    """Every way to fail."""

    INVALID_REQUEST = "invalid_request"
    INVALID_KEY = "invalid_key"
    NOT_FOUND = "not_found"
    REQUEST_TIMEOUT = "request_timeout"
    REQUEST_TOO_LARGE = "request_too_large"
    CONTEXT_LENGTH = "context_length_exceeded"
    CONTENT_FILTER = "content_filter"
    NOT_CACHED = "not_cached"
    CLIENT_DISCONNECTED = "client_disconnected"
    RATE_LIMITED = "rate_limited"
    BUDGET_EXHAUSTED = "budget_exhausted"
    SPILL_DENIED = "spill_denied"
    DATA_ZONE = "data_zone"
    POLICY_VIOLATION = "policy_violation"
    NO_CAPACITY = "no_capacity"
    UPSTREAM_ERROR = "upstream_error"
    UPSTREAM_UNREACHABLE = "upstream_unreachable"
    UPSTREAM_DISCONNECTED = "upstream_disconnected"
    UPSTREAM_PROTOCOL = "upstream_protocol_error"
    UPSTREAM_AUTH = "upstream_auth_error"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    OVERLOADED = "overloaded"
    SHUTTING_DOWN = "shutting_down"
    STORE_UNAVAILABLE = "store_unavailable"
    SAFETY_UNAVAILABLE = "content_safety_unavailable"
    INTERNAL = "internal_error"


_POLICY: Final = frozenset(
    {
        ErrorType.RATE_LIMITED,
        ErrorType.BUDGET_EXHAUSTED,
        ErrorType.SPILL_DENIED,
        ErrorType.DATA_ZONE,
        ErrorType.POLICY_VIOLATION,
    }
)
_GATEWAY: Final = frozenset(
    {
        ErrorType.OVERLOADED,
        ErrorType.SHUTTING_DOWN,
        ErrorType.STORE_UNAVAILABLE,
        ErrorType.SAFETY_UNAVAILABLE,
        ErrorType.INTERNAL,
    }
)


def _fault_of(kind: ErrorType) -> Fault:
    if kind in _POLICY:
        return Fault.POLICY
    if kind in _GATEWAY:
        return Fault.GATEWAY
    if kind is ErrorType.NO_CAPACITY:
        return Fault.CAPACITY
    return Fault.UPSTREAM if kind.startswith("upstream_") else Fault.CLIENT


FAULTS: Final[Mapping[ErrorType, Fault]] = MappingProxyType(
    {kind: _fault_of(kind) for kind in ErrorType}
)

#: By the codes of `app.errors`, and of what upstreams say of a request; others go by their status.
_OF_CODE: Final[Mapping[str, ErrorType]] = MappingProxyType(
    {
        "invalid_api_key": ErrorType.INVALID_KEY,
        "permission_denied": ErrorType.INVALID_KEY,
        "data_zone_not_allowed": ErrorType.DATA_ZONE,
        "policy_violation": ErrorType.POLICY_VIOLATION,
        "previous_response_not_found": ErrorType.NOT_FOUND,
        "method_not_allowed": ErrorType.NOT_FOUND,
        "context_length_exceeded": ErrorType.CONTEXT_LENGTH,
        "content_filter": ErrorType.CONTENT_FILTER,
        "ResponsibleAIPolicyViolation": ErrorType.CONTENT_FILTER,
        "not_cached": ErrorType.NOT_CACHED,
        "store_unavailable": ErrorType.STORE_UNAVAILABLE,
        "content_safety_unavailable": ErrorType.SAFETY_UNAVAILABLE,
        "quota_unavailable": ErrorType.STORE_UNAVAILABLE,
        "gateway_overloaded": ErrorType.OVERLOADED,
        "server_shutting_down": ErrorType.SHUTTING_DOWN,
        "upstream_error": ErrorType.UPSTREAM_ERROR,
        "upstream_unreachable": ErrorType.UPSTREAM_UNREACHABLE,
        "upstream_disconnected": ErrorType.UPSTREAM_DISCONNECTED,
        "upstream_protocol_error": ErrorType.UPSTREAM_PROTOCOL,
        "upstream_auth_error": ErrorType.UPSTREAM_AUTH,
        "upstream_timeout": ErrorType.UPSTREAM_TIMEOUT,
    }
)
_OF_STATUS: Final[Mapping[int, ErrorType]] = MappingProxyType(
    {
        HTTPStatus.NOT_FOUND: ErrorType.NOT_FOUND,
        HTTPStatus.REQUEST_TIMEOUT: ErrorType.REQUEST_TIMEOUT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ErrorType.REQUEST_TOO_LARGE,
    }
)
_OF_OUTCOME: Final[Mapping[Outcome, ErrorType]] = MappingProxyType(
    {
        Outcome.CLIENT_DISCONNECTED: ErrorType.CLIENT_DISCONNECTED,
        Outcome.SHUT_DOWN: ErrorType.SHUTTING_DOWN,
        Outcome.INTERNAL_ERROR: ErrorType.INTERNAL,
    }
)
_FINISHED: Final = Outcome.FINISHED
_OK: Final = int(HTTPStatus.OK)
_REFUSED: Final = int(HTTPStatus.BAD_REQUEST)
_RATE_LIMIT: Final = "rate_limit_exceeded"
_BUDGET: Final = "insufficient_quota"


def error_type(receipt: Receipt) -> ErrorType | None:
    """How a request failed; None where it did not."""
    if receipt.outcome is _FINISHED:
        status = receipt.status or _OK
        return None if status < _REFUSED else _passed_on(receipt, status)  # nearly all: None
    if (by_outcome := _OF_OUTCOME.get(receipt.outcome)) is not None:
        return by_outcome
    if receipt.outcome is Outcome.REFUSED:
        return _refused(receipt)
    return _of_upstream(receipt.error)


def _refused(receipt: Receipt) -> ErrorType:
    """By the gateway. No room and no quota share a code: only the latter names a limit."""
    code, status = receipt.error or "", receipt.status or HTTPStatus.INTERNAL_SERVER_ERROR
    if code in {_RATE_LIMIT, _BUDGET} and receipt.limit is None:
        return ErrorType.SPILL_DENIED if _is_held_back(receipt) else ErrorType.NO_CAPACITY
    if code == _RATE_LIMIT:
        return ErrorType.RATE_LIMITED
    if code == _BUDGET:
        return ErrorType.BUDGET_EXHAUSTED
    return _OF_CODE.get(code) or _of_request(status)


def _of_request(status: int) -> ErrorType:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ErrorType.INTERNAL
    return _OF_STATUS.get(status, ErrorType.INVALID_REQUEST)


def _is_held_back(receipt: Receipt) -> bool:
    """Whether the request had no room and might have had some, were it not for its own policy."""
    plan = receipt.plan
    if plan is None or plan.spill_spent:
        return plan is not None
    absent = {absence.reason for absence in (*plan.absences, *receipt.skipped) if absence.tier}
    may_leave = any(candidate.tier for candidate in plan.candidates)
    has_left = any(attempt.tier for attempt in receipt.attempts)
    return absent == {SpillReason.POLICY} and not may_leave and not has_left


def _passed_on(receipt: Receipt, status: int) -> ErrorType:
    """An upstream's own refusal, in its own words."""
    last = receipt.attempts[-1] if receipt.attempts else None
    code = last.code or "" if last else ""
    match last.verdict if last else Verdict.ACCEPT:
        case Verdict.THROTTLED:
            return ErrorType.NO_CAPACITY
        case Verdict.MISCONFIGURED:
            return ErrorType.UPSTREAM_AUTH
        case Verdict.FAILED:
            return ErrorType.UPSTREAM_ERROR
        case Verdict.TOO_LONG:
            return ErrorType.CONTEXT_LENGTH
        case Verdict.ACCEPT | Verdict.HEDGED:
            return _OF_CODE.get(code) or _of_request(status)


def _of_upstream(code: str | None) -> ErrorType:
    """What it said, or how it broke off; what its code means otherwise is not ours to know."""
    if code in THROTTLE_CODES:
        return ErrorType.NO_CAPACITY
    kind = _OF_CODE.get(code or "", ErrorType.UPSTREAM_ERROR)
    is_theirs = FAULTS[kind] is Fault.UPSTREAM or kind is ErrorType.CONTENT_FILTER
    return kind if is_theirs else ErrorType.UPSTREAM_ERROR
