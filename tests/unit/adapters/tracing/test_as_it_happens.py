from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from app.adapters.tracing.as_it_happens import tracer_provider
from app.domain.tracing.sampling import SamplingPolicy

ALL, NONE = SamplingPolicy(ratio=1, caller_ratio=1), SamplingPolicy(ratio=0, caller_ratio=0)
HIGH = 2**128 - 1


def tracer(policy: SamplingPolicy, ended: list[ReadableSpan]) -> Tracer:
    """Of the admin plane, say."""
    return tracer_provider(
        ended.extend, Resource({"service.name": "s"}), lambda: policy
    ).get_tracer("test")


def caller(*, sampled: bool, trace_id: int = HIGH) -> Context:
    """A caller's span, elsewhere."""
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    context = SpanContext(trace_id, span_id=7, is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(context))


def test_that_the_policy_decides() -> None:
    """All or nothing of what begins here, and of what callers record."""
    for policy, begun, continued in (
        (ALL, 1, 1),
        (NONE, 0, 0),
        (SamplingPolicy(ratio=1, caller_ratio=0), 1, 0),
        (SamplingPolicy(ratio=0, caller_ratio=1), 0, 1),
    ):
        here: list[ReadableSpan] = []
        tracer(policy, here).start_span("one").end()
        assert len(here) == begun, policy
        there: list[ReadableSpan] = []
        tracer(policy, there).start_span("one", caller(sampled=True)).end()
        assert len(there) == continued, policy


def test_that_a_caller_who_records_nothing_is_left_alone() -> None:
    """A trace with a hole in its beginning helps nobody."""
    ended: list[ReadableSpan] = []
    tracer(ALL, ended).start_span("one", caller(sampled=False)).end()
    assert ended == []


def test_that_a_trace_is_chosen_by_its_id() -> None:
    """The same ones as the data plane chooses: by the last 56 bits."""
    for trace_id, expected in ((2**127 + 2**55 - 1, 1), (2**127 + 2**55, 0)):
        ended: list[ReadableSpan] = []
        half = tracer(SamplingPolicy(caller_ratio=0.5), ended)
        half.start_span("one", caller(sampled=True, trace_id=trace_id)).end()
        assert len(ended) == expected


def test_that_errors_are_kept_where_all_are_wanted() -> None:
    """Whatever the trace's id; and not where they are not."""
    for errors in (True, False):
        ended: list[ReadableSpan] = []
        policy = SamplingPolicy(ratio=0, errors=errors)
        for status in (StatusCode.ERROR, StatusCode.UNSET):
            span = tracer(policy, ended).start_span("one")
            span.set_status(status)
            span.end()
        assert [each.status.status_code for each in ended] == [StatusCode.ERROR] * errors


def test_that_a_span_says_whose_it_is() -> None:
    """The same service as the data plane's."""
    ended: list[ReadableSpan] = []
    tracer(ALL, ended).start_span("one").end()
    assert ended[0].resource.attributes == {"service.name": "s"}
