"""How a request ended: what was used, and the one record that explains it afterwards."""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from typing import Final, Literal

import msgspec

from app.domain.cache.outcome import BYPASSED, CacheRecord
from app.domain.call.errand import Purpose
from app.domain.call.request import Operation
from app.domain.call.trace import TraceContext
from app.domain.capacity.spill import SpillReason
from app.domain.policy.findings import Finding
from app.domain.quota.reservation import Reservation
from app.domain.quota.usage import Usage
from app.domain.routing.attempt import Attempt
from app.domain.routing.deployment import Kind
from app.domain.routing.route import Absence, RoutePlan


class Outcome(StrEnum):
    """How a request ended; a closed set."""

    FINISHED = "finished"  # the answer arrived whole, an upstream's refusal included
    REFUSED = "refused"  # the gateway refused it: key, model, form, capacity
    UPSTREAM_FAILED = "upstream_failed"  # no deployment gave an answer
    UPSTREAM_ABORTED = "upstream_aborted"  # the answer broke off after its first byte
    CLIENT_DISCONNECTED = "client_disconnected"
    SHUT_DOWN = "shut_down"  # cut off by the end of a drain
    INTERNAL_ERROR = "internal_error"

    @property
    def is_server_error(self) -> bool:
        """Whether the gateway or an upstream is at fault."""
        return self in _SERVER_ERRORS


_SERVER_ERRORS: Final = frozenset(
    {
        Outcome.UPSTREAM_FAILED,
        Outcome.UPSTREAM_ABORTED,
        Outcome.SHUT_DOWN,
        Outcome.INTERNAL_ERROR,
    }
)


#: What a request comes to, one after the other; few come to all of them.
Stage = Literal[
    "authenticate",
    "answer",  # by the gateway itself: models, a tenant's own account
    "read",
    "admit",
    "cache",
    "replay",
    "route",
    "upstream",
]


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """One request, accounted for: the gateway's own record of it.

    Times are seconds; `usage` is None where nothing was served; `flags` says what of it is an
    estimate or out of the ordinary. Money is nano-dollars. A struct, because every request has
    one: a frozen dataclass of as many fields takes eight times as long to make.
    """

    request_id: str
    started_at: float  # Unix time
    duration: float
    outcome: Outcome
    operation: Operation | None
    stream: bool
    status: int | None  # sent to the client; None when it left before
    error: str | None  # the error's code
    tenant: str | None
    key_id: str | None
    model: str | None
    deployment: str | None
    deployment_kind: Kind | None
    spill: SpillReason
    usage: Usage | None
    attempts: tuple[Attempt, ...]
    plan: RoutePlan | None
    time_to_first_token: float | None
    bytes_relayed: int
    frames_relayed: int
    nano_usd: int = 0
    flags: tuple[str, ...] = ()
    started: float = 0.0  # on the monotonic clock, as the times of attempts and absences are
    skipped: tuple[Absence, ...] = ()  # candidates that were not asked when their turn came
    reservation: Reservation | None = None  # what was taken before it ran; None: nothing
    cache: CacheRecord = BYPASSED
    limit: str | None = None  # the name of the tenant's limit that had no room
    errand: Purpose | None = None  # the gateway's own request, and what for; None: a caller's
    trace: TraceContext | None = None  # None: no trace goes through the gateway
    cause: TraceContext | None = None  # the request that an errand is made for, where it is known
    trace_id: str | None = None  # of the trace, where a span of this request is recorded
    stages: tuple[tuple[Stage, float], ...] = ()  # where traced, those it came to, and when
    relayed: float | None = None  # when the last byte was out; None: it did not come to that
    output_cap: int | None = None  # tokens that the caller allowed
    choices: int = 1  # answers that the caller asked for
    findings: tuple[Finding, ...] = ()  # of input policies
    client: str | None = None  # the address of who asked; for the log alone

    @property
    def is_server_error(self) -> bool:
        """Whether the gateway or an upstream is at fault.

        What a caller does wrong is no error of its server (semantic conventions, HTTP spans).
        """
        is_5xx = (self.status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR
        return is_5xx or self.outcome.is_server_error
