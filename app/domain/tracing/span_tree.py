"""A receipt as the spans of its request: what it was, its stages, and each deployment asked.

    chat gpt-4o                 the request, from its headers to its end
    ├── authenticate, read, admit, cache, route: the stages that it came to
    ├── attempt ptu-east        refused: until its answer was judged
    └── attempt paygo-sweden    served: until the last byte
        └── relay               from the first content on

Tokens and cost are the request's alone. Back ends add up what they find, and a request that asked
three deployments was charged once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from app.domain.call.trace import TraceContext
from app.domain.ledger.completion import Outcome, Receipt
from app.domain.routing.attempt import Attempt, Verdict
from app.domain.tracing.said import NOTHING_SAID, Said
from app.domain.tracing.span_attributes import (
    Server,
    attempt_attributes,
    error_attributes,
    error_of,
    request_attributes,
    request_name,
    said_attributes,
)
from app.domain.tracing.spans import Span, SpanEvent, SpanKind, SpanLink, SpanTree

_RELAY: Final = "relay"
#: Numbers of spans within a request. Attempts are counted from 1, and are fewer.
_RELAY_NUMBER: Final = 1000
_FIRST_STAGE: Final = 1001
_NANO: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Times:
    """The request's span in Unix nanoseconds; moments on the monotonic clock become such."""

    receipt: Receipt
    begins: int
    ends: int

    @classmethod
    def of(cls, receipt: Receipt) -> _Times:
        begins = int(receipt.started_at * _NANO)
        return cls(receipt, begins, begins + int(receipt.duration * _NANO))

    def at(self, moment: float) -> int:
        """Never outside the request: clocks are read one after the other."""
        passed = int((moment - self.receipt.started) * _NANO)
        return min(max(self.begins, self.begins + passed), self.ends)


def span_tree(
    receipt: Receipt, servers: Mapping[str, Server], said: Said = NOTHING_SAID
) -> SpanTree:
    """Of a receipt with a trace; `servers` by deployment, as far as they are still configured.

    Raises ValueError for a receipt without.
    """
    trace = receipt.trace
    if trace is None:
        message = "the request has no trace"
        raise ValueError(message)
    times, caller = _Times.of(receipt), trace.caller
    request = Span(
        span_id=trace.span_id,
        parent_id=caller.span_id if caller else "",
        name=request_name(receipt),
        kind=SpanKind.INTERNAL if receipt.errand else SpanKind.SERVER,
        begins=times.begins,
        ends=times.ends,
        attributes={**request_attributes(receipt, servers), **said_attributes(said)},
        failed=receipt.is_server_error,
        events=tuple(_events(receipt, times)),
        links=_links(receipt),
    )
    stages = _stages(receipt, trace, times)
    spans = (request, *stages, *_attempts(receipt, trace, times, servers))
    return SpanTree(trace.trace_id, spans, caller.state if caller else "")


def _links(receipt: Receipt) -> tuple[SpanLink, ...]:
    cause = receipt.cause
    return (SpanLink(cause.trace_id, cause.span_id),) if cause else ()


def _events(receipt: Receipt, times: _Times) -> Iterator[SpanEvent]:
    first = receipt.time_to_first_token
    if first is not None:
        yield SpanEvent("first_token", times.at(receipt.started + first))


def _stages(receipt: Receipt, trace: TraceContext, times: _Times) -> Iterator[Span]:
    """Each until the next began. Being upstream has no span of its own: its attempts have."""
    over = receipt.started + receipt.duration if receipt.relayed is None else receipt.relayed
    broke_off = receipt.relayed is None and receipt.outcome is not Outcome.FINISHED
    moments = (*receipt.stages, (None, over))
    for number, ((stage, began), (following, ended)) in enumerate(pairwise(moments)):
        if stage is None or stage == "upstream":
            continue
        failed = following is None and broke_off
        yield Span(
            span_id=trace.child(_FIRST_STAGE + number),
            parent_id=trace.span_id,
            name=stage,
            kind=SpanKind.INTERNAL,
            begins=times.at(began),
            ends=times.at(max(began, ended)),
            attributes=error_attributes(receipt) if failed else {},
            failed=failed,
        )


def _attempts(
    receipt: Receipt, trace: TraceContext, times: _Times, servers: Mapping[str, Server]
) -> Iterator[Span]:
    accepted = [each for each in receipt.attempts if each.verdict is Verdict.ACCEPT]
    for number, attempt in enumerate(receipt.attempts, 1):
        served = accepted[-1:] == [attempt] and attempt.deployment == receipt.deployment
        span_id = attempt.span_id or trace.child(number)
        yield Span(
            span_id=span_id,
            parent_id=trace.span_id,
            name=f"attempt {attempt.deployment}",
            kind=SpanKind.CLIENT,
            begins=times.at(attempt.started),
            ends=_relayed(receipt, attempt, times) if served else times.at(attempt.ended),
            attributes=attempt_attributes(receipt, attempt, servers),
            failed=error_of(attempt) is not None,
        )
        if served:
            yield _relay(receipt, attempt, span_id, trace, times)


def _relay(
    receipt: Receipt, attempt: Attempt, span_id: str, trace: TraceContext, times: _Times
) -> Span:
    broke_off = receipt.outcome.is_server_error
    return Span(
        span_id=trace.child(_RELAY_NUMBER),
        parent_id=span_id,
        name=_RELAY,
        kind=SpanKind.INTERNAL,
        begins=times.at(attempt.ended),
        ends=_relayed(receipt, attempt, times),
        attributes=error_attributes(receipt) if broke_off else {},
        failed=broke_off,
    )


def _relayed(receipt: Receipt, attempt: Attempt, times: _Times) -> int:
    """When the last byte was out; not before the first."""
    return times.ends if receipt.relayed is None else times.at(max(receipt.relayed, attempt.ended))
