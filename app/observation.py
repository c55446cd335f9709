"""What is known of one request so far: filled in as it happens, concluded exactly once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from app.domain.cache.outcome import BYPASSED, CacheRecord
from app.domain.call.errand import Purpose
from app.domain.call.request import InferenceRequest, Route
from app.domain.call.trace import TraceContext
from app.domain.capacity.demand import Demand
from app.domain.capacity.spill import SpillReason
from app.domain.identity.tenant import Principal
from app.domain.ledger.completion import Outcome, Receipt, Stage
from app.domain.policy.findings import Finding
from app.domain.quota.reservation import Reservation
from app.domain.quota.usage import Usage
from app.domain.routing.attempt import Attempt, spill_of
from app.domain.routing.route import Absence, RoutePlan
from app.domain.tracing.said import NOTHING_SAID, Said
from app.errors import (
    ClientGone,
    NowhereAllowed,
    PolicyViolation,
    QuotaExceeded,
    SafetyUnavailable,
    ShuttingDown,
    SpillgateError,
    UpstreamError,
)
from app.ports import Call, Clock
from app.wire.client_timeout import client_timeout_s
from app.wire.messages import content_of
from app.wire.relayed import RelayedText
from app.wire.tags import NO_TAGS

#: In records, for a model that the tenant cannot use, or of which that was not found out.
UNKNOWN_MODEL: Final = "(unknown)"
#: What refuses a request whose model was found, before admission: any other is whatever a caller
#: wrote, be it a key.
_AFTER_ROUTING: Final = (NowhereAllowed, PolicyViolation, SafetyUnavailable)
_FINISHED: Final = Outcome.FINISHED
_UPSTREAM_ABORTED: Final = Outcome.UPSTREAM_ABORTED
_NO_SPILL: Final = SpillReason.NONE


class Meter:
    """What has been relayed; counts frames and bytes that were handed to the client.

    `relayed` is counted where usage is missing; its edges are what traces show of the answer. No
    struct: setting a struct's fields takes twice as long, and each frame sets two.
    """

    usage: Usage | None = None
    frames = 0
    bytes = 0
    first_token_at: float | None = None
    done = False  # the end of the answer has come, be it an error event
    error: str | None = None  # the code of an error that the upstream put into its stream

    def __init__(self) -> None:
        """Nothing has."""
        self.relayed = RelayedText()


class Observation(msgspec.Struct, eq=False):
    """One request under way; `receipt` is there once it is concluded.

    `errand`: nobody sent it, the gateway makes it itself.
    """

    _call: Call
    _clock: Clock
    errand: Purpose | None = None
    cause: TraceContext | None = None  # the request that an errand is made for
    request_id: str = ""  # and of its reservation
    headers: Mapping[str, str] = {}  # names in lower case
    started: float = 0.0  # when its headers were here, on the monotonic clock
    started_at: float = 0.0  # and as Unix time
    route: Route | None = None
    principal: Principal | None = None
    tags: Mapping[str, str] = NO_TAGS  # the request's own
    request: InferenceRequest | None = None
    reservation: Reservation | None = None
    findings: tuple[Finding, ...] = ()  # of input policies
    prompt: int | None = None  # tokens, where a policy had them counted
    base_model: str = ""  # whose vocabulary the prompt was counted in
    demand: Demand | None = None  # what it will ask of a deployment; None: no tokens
    plan: RoutePlan | None = None
    attempts: list[Attempt] = []
    skipped: list[Absence] = []
    served: Attempt | None = None
    response_id: str | None = None  # of a response that was made, and can be asked for again
    meter: Meter = msgspec.field(default_factory=Meter)
    broken: SpillgateError | None = None
    cache: CacheRecord = BYPASSED
    trace: TraceContext | None = None  # None: nothing is traced
    relayed: float | None = None  # when the answer was out
    outcome: Outcome | None = None  # None: it is not concluded
    status: int | None = None  # that the client was told
    error: str | None = None  # its code
    _limit: str | None = None
    _model: str | None = None
    _duration: float = 0.0
    _span_ids: int = 0
    _stages: list[tuple[Stage, float]] = []
    _receipt: Receipt | None = None

    def __post_init__(self) -> None:
        """It begins now."""
        call, clock = self._call, self._clock
        self.request_id, self.headers = call.request_id, call.headers
        self.started, self.started_at = clock.now(), clock.unix()

    def new_span_id(self) -> str:
        """Of an attempt that is about to be made; empty where nothing is traced."""
        self._span_ids += 1
        return "" if self.trace is None else self.trace.child(self._span_ids)

    def enter(self, stage: Stage) -> None:
        """Note that a stage begins, and the one before it is over: traces tell it."""
        if self.trace is not None:
            self._stages.append((stage, self._clock.now()))

    def answered(self) -> None:
        """Note when the answer was out."""
        self.relayed = self._clock.now()

    @property
    def awaited_until(self) -> float:
        """When the client gives up, on the monotonic clock; inf where it does not say."""
        return self.started + client_timeout_s(self.headers)

    @property
    def ledger_tags(self) -> dict[str, str]:
        """Tags of the row: the request's own before its key's, those before its tenant's."""
        tags = self.principal.tenant.tags if self.principal is not None else {}
        return {**tags, **self.tags} if self.tags else tags

    @property
    def spill(self) -> SpillReason:
        """Why the request was not served by its first tier."""
        served = self.served
        if served is None:
            return _NO_SPILL
        if not served.tier:  # nothing was passed
            return spill_of(0, self.attempts, ())
        planned = self.plan.absences if self.plan else ()
        return spill_of(served.tier, self.attempts, (*planned, *self.skipped))

    @property
    def receipt(self) -> Receipt:
        """The record; only after `conclude`."""
        if self._receipt is None:
            self._receipt = self._made(self.meter.usage, 0, ())
        return self._receipt

    def conclude(self, status: int | None, error: BaseException | None) -> None:
        """Note how it ended: `status` went to the client, `error` ended the request."""
        ended = self._call.interruption or error or self.broken
        self._duration = self._clock.now() - self.started
        code = self.meter.error
        if ended is None:
            self.status = status
            self.outcome = _FINISHED if code is None else _UPSTREAM_ABORTED
        else:
            self.status = _told(ended) if status is None else status
            self.outcome = _outcome(ended, broke_off=status is not None)
            if isinstance(ended, SpillgateError):
                code = ended.code
            if isinstance(ended, QuotaExceeded):
                self._limit = ended.limit
        if code is not None:
            self.error = code
        if self.request is not None and (model := self.request.model):
            # Admission, which comes after routing, has set `base_model`.
            is_known = self.base_model or isinstance(ended, _AFTER_ROUTING)
            self._model = model if is_known else UNKNOWN_MODEL

    def redact_codes(self, redacted: Callable[[str], str]) -> None:
        """Take secrets out of the codes that upstreams gave, the only words of theirs in receipts.

        A refusal has none by then; an answer's body is its caller's, and may repeat a credential.
        """
        if self.error is not None:
            self.error = redacted(self.error)
        for each in self.attempts:  # a loop: most requests have one attempt, without a code
            if each.code is not None:
                self.attempts = [_redacted(one, redacted) for one in self.attempts]
                return

    def charged(self, usage: Usage, nano_usd: int, flags: tuple[str, ...]) -> Receipt:
        """The receipt, completed by what was charged; it is the one observers see.

        What was asked for at no cost may repeat a usage: of a stored response, that was charged.
        """
        used = usage if self.reservation is not None else None
        self._receipt = self._made(used, nano_usd, flags)
        return self._receipt

    def _made(self, usage: Usage | None, nano_usd: int, flags: tuple[str, ...]) -> Receipt:
        if self.outcome is None:
            message = "the request is not concluded"
            raise RuntimeError(message)
        request, principal, served = self.request, self.principal, self.served
        meter, first = self.meter, self.meter.first_token_at
        return Receipt(  # in the order of its fields: by their names it takes thrice as long
            self.request_id,
            self.started_at,
            self._duration,
            self.outcome,
            self.route.operation if self.route else None,
            request.stream if request else False,
            self.status,
            self.error,
            principal.tenant.name if principal else None,
            principal.key_id if principal else None,
            self._model,
            served.deployment if served else None,
            served.kind if served else None,
            self.spill,
            usage,
            tuple(self.attempts),
            self.plan,
            None if first is None else first - self.started,
            meter.bytes,
            meter.frames,
            nano_usd,
            flags,
            self.started,
            tuple(self.skipped),
            self.reservation,
            self.cache,
            self._limit,
            self.errand,
            self.trace,
            self.cause,
            None,  # its trace's id, where spans of it are recorded
            tuple(self._stages),
            self.relayed,
            request.output_cap if request else None,
            request.choices if request else 1,
            self.findings,
            self._call.client,
        )

    def said(self, most_chars: int) -> Said:
        """What traces show of the answer; its text only where the tenant asked for that.

        `most_chars`: so much of the prompt, and of the answer; 0: it is not allowed.
        """
        relayed, request, principal = self.meter.relayed, self.request, self.principal
        edges = relayed.edges
        if edges is None:
            return NOTHING_SAID
        facts = edges.facts(*relayed.unread)
        if not most_chars or request is None or principal is None:
            return Said(facts)
        if not principal.tenant.trace_content:
            return Said(facts)
        return Said(facts, content_of(request, edges, relayed, most_chars))

    def recorded(self) -> Receipt:
        """The receipt, with the trace that spans of it are recorded in."""
        trace_id = self.trace.trace_id if self.trace is not None else None
        self._receipt = replace(self.receipt, trace_id=trace_id)
        return self._receipt


def _told(ended: BaseException | None) -> int | None:
    """The status that the HTTP layer answers such an end with; a cancelled request gets none."""
    if isinstance(ended, SpillgateError):
        return ended.status
    is_bug = isinstance(ended, Exception) and not isinstance(ended, ClientGone)
    return SpillgateError.status if is_bug else None


def _outcome(ended: BaseException, *, broke_off: bool) -> Outcome:
    """How it ended that went wrong; `broke_off`: the answer had begun."""
    if isinstance(ended, ClientGone):
        return Outcome.CLIENT_DISCONNECTED
    if isinstance(ended, ShuttingDown):
        return Outcome.SHUT_DOWN
    if isinstance(ended, UpstreamError):
        return Outcome.UPSTREAM_ABORTED if broke_off else Outcome.UPSTREAM_FAILED
    return Outcome.REFUSED if isinstance(ended, SpillgateError) else Outcome.INTERNAL_ERROR


def _redacted(attempt: Attempt, redacted: Callable[[str], str]) -> Attempt:
    return attempt if attempt.code is None else replace(attempt, code=redacted(attempt.code))
