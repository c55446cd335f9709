"""What SDKs make of each refusal."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import errors
from app.errors import (
    ClientGone,
    MalformedRequest,
    RequestError,
    SpillgateError,
    UpstreamError,
)

ALL = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, SpillgateError)
]
#: Statuses after which OpenAI's SDKs try again by themselves.
RETRIED = {408, 409, 429} | set(range(500, 600))

EXPECTED = {
    "MalformedRequest": (400, "invalid_request"),
    "UnknownPreviousResponse": (400, "previous_response_not_found"),
    "InvalidApiKey": (401, "invalid_api_key"),
    "NowhereAllowed": (403, "data_zone_not_allowed"),
    "UnknownModel": (404, "model_not_found"),
    "UnknownResponse": (404, "response_not_found"),
    "UnknownRoute": (404, "unknown_url"),
    "AlreadyRunning": (409, "already_running"),
    "MethodNotAllowed": (405, "method_not_allowed"),
    "BodyTimeout": (408, "request_timeout"),
    "BodyTooLarge": (413, "request_too_large"),
    "PolicyViolation": (400, "policy_violation"),
    "UnsupportedEncoding": (415, "unsupported_content_encoding"),
    "NoCapacity": (429, "rate_limit_exceeded"),
    "UpstreamUnreachable": (502, "upstream_unreachable"),
    "UpstreamDisconnected": (502, "upstream_disconnected"),
    "UpstreamProtocolError": (502, "upstream_protocol_error"),
    "UpstreamMisconfigured": (502, "upstream_auth_error"),
    "UpstreamFailed": (502, "upstream_error"),
    "UpstreamTimeout": (504, "upstream_timeout"),
    "StoreUnavailable": (503, "store_unavailable"),
    "Overloaded": (503, "gateway_overloaded"),
    "ShuttingDown": (503, "server_shutting_down"),
}


def made(kind: type[SpillgateError]) -> SpillgateError:
    return kind("What is wrong.")


@pytest.mark.parametrize("name", EXPECTED)
def test_status_and_code(name: str) -> None:
    """Clients branch on these; they change only on purpose."""
    error = made(getattr(errors, name))
    assert (error.status, error.code) == EXPECTED[name]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_can_be_told(kind: type[SpillgateError]) -> None:
    """It has a status of an error, a code, a type, and says what is wrong."""
    error = made(kind)
    assert 400 <= error.status < 600
    assert error.code
    assert error.type
    assert str(error) == error.message == "What is wrong."


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_the_callers_mistakes_are_4xx_and_ours_are_5xx(kind: type[SpillgateError]) -> None:
    """A caller's mistake is of the type that says so; an upstream's never is."""
    error = made(kind)
    is_mistake = issubclass(kind, RequestError)
    assert is_mistake == (error.type == "invalid_request_error")
    if is_mistake:
        assert error.status < 500
    if issubclass(kind, UpstreamError):
        assert error.status >= 500


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_what_waiting_helps_is_retried(kind: type[SpillgateError]) -> None:
    """Where the gateway asks for a retry, the status is one that is retried without asking too."""
    error = made(kind)
    if error.should_retry:
        assert error.status in RETRIED
    if issubclass(kind, RequestError) and error.status != 408 and error.should_retry is None:
        assert error.status not in RETRIED


def test_upstream_credentials_are_never_the_callers_401() -> None:
    """A caller whose key is good must not be told that it is wrong."""
    unauthorised = {kind.__name__ for kind in ALL if made(kind).status in {401, 403}}
    # The second is the admin API's, the third says where the tenant's own policy binds it to.
    assert unauthorised == {"InvalidApiKey", "NotAllowed", "NowhereAllowed"}


@given(st.text(), st.none() | st.text(), st.none() | st.floats(0, 1e9))
def test_what_an_error_is_told_it_keeps(
    message: str, param: str | None, retry_after_s: float | None
) -> None:
    """The field and the wait reach whoever renders it."""
    error = SpillgateError(message, param=param, retry_after_s=retry_after_s)
    assert (error.message, error.param, error.retry_after_s) == (message, param, retry_after_s)


def test_kinds_of_malformed_requests_keep_to_themselves() -> None:
    """One instance's code is not its class's."""
    assert MalformedRequest("m", code="duplicate_key", param="a").code == "duplicate_key"
    assert MalformedRequest("m").code == "invalid_request"


def test_a_client_that_left_is_told_nothing() -> None:
    """It is an event, not an error that anything renders."""
    assert not issubclass(ClientGone, SpillgateError)
