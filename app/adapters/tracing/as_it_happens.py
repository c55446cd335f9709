"""A tracer provider for what is traced as it happens; its spans go the way of all others.

Requests of the data plane have no tracer, for their spans are made at their end. The admin plane's
framework wants one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import StatusCode, get_current_span

from app.domain.tracing.sampling import SamplingPolicy, is_chosen


def tracer_provider(
    put: Callable[[Sequence[ReadableSpan]], None],
    resource: Resource,
    policy: Callable[[], SamplingPolicy],
) -> TracerProvider:
    """Spans are `put` when they end: those whose trace is chosen, and errors where all are wanted.

    `policy` is asked at the beginning of each. There is nothing to be closed.
    """
    provider = TracerProvider(sampler=_ByPolicy(policy), resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(_Putting(put))
    return provider


class _ByPolicy(Sampler):
    """As the data plane's requests are chosen, but for `most_per_s`."""

    def __init__(self, policy: Callable[[], SamplingPolicy]) -> None:
        self._policy = policy

    def should_sample(
        self, parent_context: Context | None, trace_id: int, *_: Any, **__: Any
    ) -> SamplingResult:
        """What is recorded and not sampled is looked at when it ends."""
        policy, caller = self._policy(), get_current_span(parent_context).get_span_context()
        ratio = policy.ratio
        if caller.is_valid:
            ratio = policy.caller_ratio if caller.trace_flags.sampled else 0.0
        if is_chosen(f"{trace_id:032x}", ratio):
            return SamplingResult(Decision.RECORD_AND_SAMPLE, trace_state=caller.trace_state)
        unchosen = Decision.RECORD_ONLY if policy.errors else Decision.DROP
        return SamplingResult(unchosen, trace_state=caller.trace_state)

    def get_description(self) -> str:
        """For the SDK."""
        return "by the policy of the data plane"


class _Putting(SpanProcessor):
    def __init__(self, put: Callable[[Sequence[ReadableSpan]], None]) -> None:
        self._put = put

    def on_end(self, span: ReadableSpan) -> None:
        is_sampled = span.context is not None and span.context.trace_flags.sampled
        if is_sampled or span.status.status_code is StatusCode.ERROR:
            self._put([span])
