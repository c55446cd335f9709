"""Whose fault an error is: every class of error and every verdict has a place on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app import errors
from app.domain.capacity.spill import SpillReason
from app.domain.ledger.completion import Outcome
from app.domain.ledger.error_type import FAULTS, ErrorType, Fault, error_type
from app.domain.routing.attempt import Verdict
from app.domain.routing.route import Absence, RoutePlan
from app.errors import SpillgateError
from tests.fakes.receipts import attempt, plan, served

NOT_SERVED: dict[str, Any] = {"deployment": None, "usage": None, "attempts": ()}
#: What the receipts of refused requests come to, by the class that was raised.
REFUSALS = {
    errors.SpillgateError: ErrorType.INTERNAL,
    errors.RequestError: ErrorType.INVALID_REQUEST,
    errors.MalformedRequest: ErrorType.INVALID_REQUEST,
    errors.UnknownPreviousResponse: ErrorType.NOT_FOUND,
    errors.UnsupportedParameter: ErrorType.INVALID_REQUEST,
    errors.AlreadyRunning: ErrorType.INVALID_REQUEST,
    errors.PolicyViolation: ErrorType.POLICY_VIOLATION,
    errors.InvalidApiKey: ErrorType.INVALID_KEY,
    errors.NotAllowed: ErrorType.INVALID_KEY,
    errors.NowhereAllowed: ErrorType.DATA_ZONE,
    errors.UnknownEntry: ErrorType.NOT_FOUND,
    errors.UnknownModel: ErrorType.NOT_FOUND,
    errors.UnknownResponse: ErrorType.NOT_FOUND,
    errors.UnknownRoute: ErrorType.NOT_FOUND,
    errors.MethodNotAllowed: ErrorType.NOT_FOUND,
    errors.BodyTimeout: ErrorType.REQUEST_TIMEOUT,
    errors.AlreadyMapped: ErrorType.INVALID_REQUEST,
    errors.VersionConflict: ErrorType.INVALID_REQUEST,
    errors.BodyTooLarge: ErrorType.REQUEST_TOO_LARGE,
    errors.UnsupportedEncoding: ErrorType.INVALID_REQUEST,
    errors.NoCapacity: ErrorType.NO_CAPACITY,
    errors.QuotaExceeded: ErrorType.RATE_LIMITED,
    errors.BudgetExhausted: ErrorType.BUDGET_EXHAUSTED,
    errors.UpstreamError: ErrorType.UPSTREAM_ERROR,
    errors.UpstreamUnreachable: ErrorType.UPSTREAM_UNREACHABLE,
    errors.UpstreamDisconnected: ErrorType.UPSTREAM_DISCONNECTED,
    errors.UpstreamProtocolError: ErrorType.UPSTREAM_PROTOCOL,
    errors.UpstreamMisconfigured: ErrorType.UPSTREAM_AUTH,
    errors.UpstreamFailed: ErrorType.UPSTREAM_ERROR,
    errors.UpstreamTimeout: ErrorType.UPSTREAM_TIMEOUT,
    errors.SafetyUnavailable: ErrorType.SAFETY_UNAVAILABLE,
    errors.StoreUnavailable: ErrorType.STORE_UNAVAILABLE,
    errors.QuotaUnavailable: ErrorType.STORE_UNAVAILABLE,
    errors.EmbedderUnavailable: ErrorType.STORE_UNAVAILABLE,
    errors.NotCached: ErrorType.NOT_CACHED,
    errors.Overloaded: ErrorType.OVERLOADED,
    errors.ShuttingDown: ErrorType.SHUTTING_DOWN,
}


def classes(of: type[SpillgateError] = SpillgateError) -> Iterator[type[SpillgateError]]:
    yield of
    for each in of.__subclasses__():
        yield from classes(each)


def test_every_error_has_its_place() -> None:
    """Whoever adds a class of errors says here what it is, and whose fault."""
    missing = {each for each in classes() if each.__module__ == errors.__name__} - REFUSALS.keys()
    assert not missing, (
        f"say what these are in metrics: {sorted(each.__name__ for each in missing)}"
    )


@pytest.mark.parametrize("kind", REFUSALS, ids=lambda kind: kind.__name__)
def test_a_refusal_goes_by_its_code(kind: type[SpillgateError]) -> None:
    """As the observation concludes it: outcome, status and code of the class that was raised."""
    outcome = Outcome.REFUSED
    if issubclass(kind, errors.UpstreamError):
        outcome = Outcome.UPSTREAM_FAILED
    if kind is errors.ShuttingDown:
        outcome = Outcome.SHUT_DOWN
    limit = "tpm" if issubclass(kind, errors.QuotaExceeded) else None
    ended = served(status=kind.status, error=kind.code, outcome=outcome, limit=limit, **NOT_SERVED)
    assert error_type(ended) is REFUSALS[kind]


def test_every_type_is_somebodys_fault() -> None:
    """And each of the five has one to do something about."""
    assert FAULTS.keys() == set(ErrorType)
    assert set(FAULTS.values()) == set(Fault)
    assert {kind for kind, fault in FAULTS.items() if fault is Fault.CAPACITY} == {
        ErrorType.NO_CAPACITY
    }


def test_what_went_well_is_no_error() -> None:
    """An answer that arrived whole."""
    assert error_type(served()) is None


@pytest.mark.parametrize(
    ("verdict", "status", "code", "expected"),
    [
        (Verdict.ACCEPT, 400, "content_filter", ErrorType.CONTENT_FILTER),
        (Verdict.ACCEPT, 400, "invalid_value", ErrorType.INVALID_REQUEST),
        (Verdict.ACCEPT, 404, "not_found", ErrorType.NOT_FOUND),
        (Verdict.TOO_LONG, 400, "context_length_exceeded", ErrorType.CONTEXT_LENGTH),
        (Verdict.THROTTLED, 429, "429", ErrorType.NO_CAPACITY),
        (Verdict.FAILED, 500, "server_error", ErrorType.UPSTREAM_ERROR),
        (Verdict.MISCONFIGURED, 401, "401", ErrorType.UPSTREAM_AUTH),
    ],
)
def test_a_refusal_of_an_upstream_that_was_passed_on(
    verdict: Verdict, status: int, code: str, expected: ErrorType
) -> None:
    """What it says of the request is the client's; of itself, its own."""
    passed_on = served(status=status, attempts=(attempt("a", verdict, status=status, code=code),))
    assert error_type(passed_on) is expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("upstream_disconnected", ErrorType.UPSTREAM_DISCONNECTED),
        ("upstream_timeout", ErrorType.UPSTREAM_TIMEOUT),
        ("rate_limit_exceeded", ErrorType.NO_CAPACITY),
        ("content_filter", ErrorType.CONTENT_FILTER),
        ("invalid_api_key", ErrorType.UPSTREAM_ERROR),
        ("whatever", ErrorType.UPSTREAM_ERROR),
        (None, ErrorType.UPSTREAM_ERROR),
    ],
)
def test_a_stream_that_broke_off(code: str | None, expected: ErrorType) -> None:
    """The upstream's words make no type of their own, and never blame the caller's key."""
    assert error_type(served(outcome=Outcome.UPSTREAM_ABORTED, error=code)) is expected


def test_who_leaves_is_told_apart_from_who_is_cut_off() -> None:
    """And both from a fault of our own."""
    outcomes = {
        Outcome.CLIENT_DISCONNECTED: ErrorType.CLIENT_DISCONNECTED,
        Outcome.SHUT_DOWN: ErrorType.SHUTTING_DOWN,
        Outcome.INTERNAL_ERROR: ErrorType.INTERNAL,
    }
    found = {outcome: error_type(served(outcome=outcome, status=None)) for outcome in outcomes}
    assert found == outcomes


def no_room(of: RoutePlan, **changes: Any) -> ErrorType | None:
    """What a request comes to that nobody had room for."""
    told = {"status": 429, "error": "rate_limit_exceeded", "outcome": Outcome.REFUSED}
    return error_type(served(plan=of, **(told | NOT_SERVED | changes)))


def test_no_room_is_capacity_unless_policy_kept_the_rest_from_it() -> None:
    """Where only the tenant's own rule stood between it and PAYGO, more PTUs are one answer."""
    full = Absence("ptu", 0, SpillReason.PREDICTED, 9.0)
    denied = Absence("paygo", 1, SpillReason.POLICY, 9.0)
    held = Absence("paygo-b", 1, SpillReason.HELD, 9.0)
    assert no_room(plan(absences=(full, denied))) is ErrorType.SPILL_DENIED
    assert no_room(plan(absences=(full,), spill_spent=True)) is ErrorType.SPILL_DENIED
    assert no_room(plan(absences=(full, denied, held))) is ErrorType.NO_CAPACITY
    assert no_room(plan(absences=(full,))) is ErrorType.NO_CAPACITY
    refused = attempt("ptu", Verdict.THROTTLED, status=429)
    assert no_room(plan(absences=(denied,)), attempts=(refused,)) is ErrorType.SPILL_DENIED
    tried = (refused, attempt("paygo-b", Verdict.THROTTLED, status=429, tier=1))
    assert no_room(plan(absences=(denied,)), attempts=tried) is ErrorType.NO_CAPACITY


def test_a_spill_budget_that_is_used_up_is_a_rule_of_the_tenants() -> None:
    """It shares its code with budgets that are limits, and names none."""
    ended = no_room(plan(spill_spent=True), error="insufficient_quota")
    assert ended is ErrorType.SPILL_DENIED
