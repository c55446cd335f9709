"""A tracer provider for what is traced as it happens; its spans go the way of all others.

Requests of the data plane have no tracer, for their spans are made at their end. The admin plane's
framework wants one. What a caller asks for is granted when the span ends: only then it is known
whether it was anybody who was let in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import SpanKind, StatusCode, TraceState, get_current_span
from opentelemetry.util.types import Attributes

from app.domain.tracing.sampling import Allowance, SamplingPolicy, is_chosen
from app.wire.trace_context import state_of

_STATUS: Final = "http.response.status_code"
_ROUTE: Final = "http.route"
#: What the admin API answers to those whom it does not know; 404 only where there is no route.
_STRANGERS: Final = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.TOO_MANY_REQUESTS}
)


def tracer_provider(
    put: Callable[[Sequence[ReadableSpan]], None],
    resource: Resource,
    *,
    policy: Callable[[], SamplingPolicy],
    now: Callable[[], float],
) -> TracerProvider:
    """Spans are `put` when they end: those whose trace is chosen, and errors where all are wanted.

    `policy` is asked at the beginning and at the end of each; `most_per_s` bounds the spans of one
    provider, by `now` (monotonic, seconds). There is nothing to be closed.
    """
    provider = TracerProvider(sampler=_ByPolicy(policy), resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(_Putting(put, policy, now))
    return provider


class _ByPolicy(Sampler):
    """As the data plane's requests are chosen; `most_per_s` is looked at when they end."""

    def __init__(self, policy: Callable[[], SamplingPolicy]) -> None:
        self._policy = policy

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,  # noqa: ARG002  # the SDK's
        kind: SpanKind | None = None,  # noqa: ARG002  # the SDK's
        attributes: Attributes = None,
        *_: Any,
        **__: Any,
    ) -> SamplingResult:
        """What is recorded and not sampled is looked at when it ends; attributes stay as given."""
        policy, caller = self._policy(), get_current_span(parent_context).get_span_context()
        ratio = policy.ratio
        if caller.is_valid:
            ratio = policy.caller_ratio if caller.trace_flags.sampled else 0.0
        state = _fit(caller.trace_state)
        if is_chosen(f"{trace_id:032x}", ratio):
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, state)
        unchosen = Decision.RECORD_ONLY if policy.errors else Decision.DROP
        return SamplingResult(unchosen, attributes, state)

    def get_description(self) -> str:
        """For the SDK."""
        return "by the policy of the data plane"


class _Putting(SpanProcessor):
    def __init__(
        self,
        put: Callable[[Sequence[ReadableSpan]], None],
        policy: Callable[[], SamplingPolicy],
        now: Callable[[], float],
    ) -> None:
        self._put = put
        self._policy = policy
        self._now = now
        self._asked_for = Allowance()
        self._telling = Allowance()

    def on_end(self, span: ReadableSpan) -> None:
        if self._is_chosen(span) or self._is_telling(span):
            self._put([span])

    def _is_chosen(self, span: ReadableSpan) -> bool:
        """By ourselves, or by a caller that was let in, as far as there is room for it."""
        if span.context is None or not span.context.trace_flags.sampled:
            return False
        return span.parent is None or (not _is_strangers(span) and self._takes(self._asked_for))

    def _is_telling(self, span: ReadableSpan) -> bool:
        is_wanted = span.status.status_code is StatusCode.ERROR and self._policy().errors
        return is_wanted and self._takes(self._telling)

    def _takes(self, allowance: Allowance) -> bool:
        return allowance.take(self._policy().most_per_s, self._now())


def _is_strangers(span: ReadableSpan) -> bool:
    """Whether it was refused to somebody unknown, whose flag is no reason to keep it."""
    said = span.attributes or {}
    status = said.get(_STATUS)
    return status in _STRANGERS or (status == HTTPStatus.NOT_FOUND and _ROUTE not in said)


def _fit(state: TraceState | None) -> TraceState | None:
    """Left out where it is too long to be passed on, as in the data plane."""
    return state if state and state_of(state.to_header()) else None
