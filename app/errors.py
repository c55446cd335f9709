"""Every refusal and failure that Spillgate can tell a client, in one tree.

    SpillgateError
    ├── RequestError                 the caller can mend it
    │   ├── MalformedRequest         400
    │   ├── UnknownPreviousResponse  400
    │   ├── UnsupportedParameter     400  no deployment of the model takes it
    │   ├── InvalidApiKey            401
    │   ├── NotAllowed               403  admin API: the role does not allow it
    │   ├── NowhereAllowed           403  the tenant's policy leaves no deployment of the model
    │   ├── UnknownEntry             404  admin API
    │   ├── UnknownModel             404
    │   ├── UnknownResponse          404
    │   ├── UnknownRoute             404
    │   ├── MethodNotAllowed         405
    │   ├── BodyTimeout              408
    │   ├── AlreadyMapped            409  admin API: an Entra ID id of two tenants
    │   ├── AlreadyRunning           409  admin API: a second plan at a time
    │   ├── VersionConflict          412  admin API: If-Match
    │   ├── BodyTooLarge             413
    │   └── UnsupportedEncoding      415
    ├── NoCapacity                   429  every candidate is throttled; says when to come back
    ├── QuotaExceeded                429  a rate limit of the tenant
    │   └── BudgetExhausted          429  a budget of the tenant
    ├── UpstreamError                an upstream failed, and no other candidate was left
    │   ├── UpstreamUnreachable      502
    │   ├── UpstreamDisconnected     502
    │   ├── UpstreamProtocolError    502
    │   ├── UpstreamMisconfigured    502  our key, deployment name or URL is wrong
    │   ├── UpstreamFailed           502  it answered 5xx or 408 without an error object
    │   └── UpstreamTimeout          504
    ├── SafetyUnavailable            503  a text could not be checked, and must be
    ├── StoreUnavailable             503  shared state is out of reach and guessing is unsafe
    │   ├── QuotaUnavailable         503  the same of a tenant's account
    │   └── EmbedderUnavailable      503  never told to a client: the cache is passed by
    ├── NotCached                    504  `Cache-Control: only-if-cached`, and it is not
    ├── Overloaded                   503  too many requests in flight, or no socket left
    └── ShuttingDown                 503

    ClientGone                       the client left: nothing can be told any more

Status, `type` and `code` are what OpenAI SDKs map to exception classes and retry on
(openai-python `_make_status_error`). A message names what is wrong and where; it never holds a
secret, and foreign text only where it came from the same caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class SpillgateError(Exception):
    """Base of all that is rendered to a client in OpenAI's error shape."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: ClassVar[str] = "internal_error"
    #: Whether the client is told the code; where OpenAI sends null, so do we.
    tells_code: ClassVar[bool] = True
    #: Value of `x-should-retry`; None leaves the choice to the SDK's own rule for the status.
    should_retry: ClassVar[bool | None] = None

    def __init__(
        self, message: str, *, param: str | None = None, retry_after_s: float | None = None
    ) -> None:
        """`param` names the offending field; `retry_after_s` is in seconds from now."""
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s
        #: Response headers of this refusal alone.
        self.headers: Mapping[str, str] = {}


class RequestError(SpillgateError):
    """The caller's request is at fault; sending it again unchanged will not help."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_request"


class MalformedRequest(RequestError):
    """The body or a header cannot be read as what the API asks for."""

    def __init__(
        self, message: str, *, code: str = "invalid_request", param: str | None = None
    ) -> None:
        """`code` tells the kinds apart: invalid_json, duplicate_key, json_too_deep and more."""
        super().__init__(message, param=param)
        self.code = code  # type: ignore[misc]  # one class, several codes of one closed set


class UnknownPreviousResponse(RequestError):
    """`previous_response_id` names no response of this tenant."""

    code = "previous_response_not_found"


class UnsupportedParameter(RequestError):
    """`param` names what no deployment of the model takes; it is not dropped in silence."""

    code = "unsupported_parameter"


class PolicyViolation(RequestError):
    """A policy of the tenant's refuses the request; the message has no word of what was sent."""

    code = "policy_violation"
    should_retry: ClassVar[bool | None] = False

    def __init__(self, message: str, *, policy: str = "", param: str | None = None) -> None:
        """`policy` is the name of the setting or pattern, `param` the field at fault."""
        super().__init__(message, param=param)
        self.headers = {"x-spillgate-policy": policy}


class InvalidApiKey(RequestError):
    """No key, or none that we know."""

    status = 401
    code = "invalid_api_key"


class NowhereAllowed(RequestError):
    """The model has no deployment in the data zones and regions that this tenant is bound to."""

    status = 403
    code = "data_zone_not_allowed"


class UnknownModel(RequestError):
    """The model does not exist or this tenant may not use it; which of both is not told."""

    status = 404
    code = "model_not_found"


class UnknownResponse(RequestError):
    """No stored response of that id belongs to this tenant."""

    status = 404
    code = "response_not_found"
    tells_code = False


class UnknownRoute(RequestError):
    """Nothing is served at this path."""

    status = 404
    code = "unknown_url"


class MethodNotAllowed(RequestError):
    """The path exists, this method does not."""

    status = 405
    code = "method_not_allowed"


class BodyTimeout(RequestError):
    """The body did not arrive in time."""

    status = 408
    code = "request_timeout"


class BodyTooLarge(RequestError):
    """The body is over the configured size."""

    status = 413
    code = "request_too_large"


class UnsupportedEncoding(RequestError):
    """The body is compressed; compressed bodies are not read (decompression bombs)."""

    status = 415
    code = "unsupported_content_encoding"


class AlreadyMapped(RequestError):
    """An Entra ID id is another tenant's; take it from that one first."""

    status = 409
    code = "already_mapped"
    should_retry: ClassVar[bool | None] = False


class AlreadyRunning(RequestError):
    """There can be one at a time; wait for it, or cancel it."""

    status = 409
    code = "already_running"
    should_retry: ClassVar[bool | None] = False


class VersionConflict(RequestError):
    """The entry has changed since it was read, or is there already; read it again."""

    status = 412
    code = "version_conflict"


class UnknownEntry(RequestError):
    """The admin API has nothing of that name."""

    status = 404
    code = "not_found"


class NotAllowed(RequestError):
    """The caller is known, and its role does not allow this."""

    status = 403
    code = "permission_denied"


class NoCapacity(SpillgateError):
    """No deployment that may serve has room; `reason` is why the one that will first has none."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"
    should_retry: ClassVar[bool | None] = True

    def __init__(
        self, message: str, *, retry_after_s: float | None = 0.0, reason: str = "throttled"
    ) -> None:
        """`retry_after_s` is None where waiting is pointless."""
        super().__init__(message, retry_after_s=retry_after_s)
        self.headers = {"x-spillgate-reason": reason}
        if retry_after_s is None:
            self.should_retry = False  # type: ignore[misc]  # waiting changes nothing


class QuotaExceeded(SpillgateError):
    """A limit of the tenant has no room; `headers` are its own rate limits."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"
    should_retry: ClassVar[bool | None] = True

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        headers: Mapping[str, str] | None = None,
        limit: str | None = None,
    ) -> None:
        """`retry_after_s` is None where waiting is pointless; `limit` is the name of a limit."""
        super().__init__(message, retry_after_s=retry_after_s)
        self.headers = headers or {}
        self.limit = limit
        if retry_after_s is None:
            self.should_retry = False  # type: ignore[misc]  # waiting changes nothing


class BudgetExhausted(QuotaExceeded):
    """A budget of the tenant is used up until its calendar window ends."""

    type = "insufficient_quota"
    code = "insufficient_quota"
    should_retry: ClassVar[bool | None] = False


class UpstreamError(SpillgateError):
    """An upstream failed and nothing else could serve the request."""

    status = 502
    code = "upstream_error"


class UpstreamUnreachable(UpstreamError):
    """No connection: DNS, TCP or TLS failed."""

    code = "upstream_unreachable"


class UpstreamDisconnected(UpstreamError):
    """The connection broke before the answer was whole."""

    code = "upstream_disconnected"


class UpstreamProtocolError(UpstreamError):
    """What came is not HTTP or not an event stream within bounds."""

    code = "upstream_protocol_error"


class UpstreamMisconfigured(UpstreamError):
    """The upstream refused our own credential, deployment name or URL."""

    code = "upstream_auth_error"


class UpstreamFailed(UpstreamError):
    """The upstream answered with a server error."""


class UpstreamTimeout(UpstreamError):
    """The upstream was silent for longer than its limit.

    It may have been at work: whoever asks again may pay for a long answer twice.
    """

    status = 504
    code = "upstream_timeout"
    should_retry: ClassVar[bool | None] = False


class StoreUnavailable(SpillgateError):
    """Shared state is out of reach and the request cannot be served safely without it."""

    status = 503
    code = "store_unavailable"


class QuotaUnavailable(StoreUnavailable):
    """The tenant's account is out of reach, and its policy is not to serve without it."""

    code = "quota_unavailable"
    should_retry: ClassVar[bool | None] = True


class SafetyUnavailable(SpillgateError):
    """The text could not be checked, and the tenant's policy is not to serve it unchecked."""

    status = 503
    code = "content_safety_unavailable"
    should_retry: ClassVar[bool | None] = True


class NotCached(SpillgateError):
    """The caller asked for a kept answer or none (RFC 9111, 5.2.1.7), and there is none."""

    status = 504
    code = "not_cached"
    should_retry: ClassVar[bool | None] = False


class EmbedderUnavailable(StoreUnavailable):
    """Text could not be embedded in time; the cache is passed by, and nobody is told."""


class Overloaded(SpillgateError):
    """This replica is full, by its limit or for want of sockets; another one, or later, will do."""

    status = 503
    code = "gateway_overloaded"
    should_retry: ClassVar[bool | None] = True


class ShuttingDown(SpillgateError):
    """This replica is draining; another one will serve."""

    status = 503
    code = "server_shutting_down"
    should_retry: ClassVar[bool | None] = True


class ClientGone(Exception):  # an event, not an error to report
    """The client's connection closed, or it stopped reading for too long."""
