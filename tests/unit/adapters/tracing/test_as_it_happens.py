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
    TraceState,
    set_span_in_context,
)

from app.adapters.tracing.as_it_happens import tracer_provider
from app.domain.tracing.sampling import SamplingPolicy
from tests.fakes.clock import FakeClock

ALL, NONE = SamplingPolicy(ratio=1, caller_ratio=1), SamplingPolicy(ratio=0, caller_ratio=0)
HIGH = 2**128 - 1


def tracer(
    policy: SamplingPolicy, ended: list[ReadableSpan], clock: FakeClock | None = None
) -> Tracer:
    """Of the admin plane, say."""
    resource, now = Resource({"service.name": "s"}), (clock or FakeClock()).now
    provider = tracer_provider(ended.extend, resource, policy=lambda: policy, now=now)
    return provider.get_tracer("test")


def caller(*, sampled: bool, trace_id: int = HIGH, state: str = "") -> Context:
    """A caller's span, elsewhere."""
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    said = TraceState.from_header([state])
    context = SpanContext(trace_id, 7, is_remote=True, trace_flags=flags, trace_state=said)
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


def test_that_a_span_keeps_what_it_begins_with() -> None:
    """The SDK takes the attributes from whoever samples."""
    ended: list[ReadableSpan] = []
    tracer(ALL, ended).start_span("one", attributes={"http.request.method": "GET"}).end()
    assert ended[0].attributes == {"http.request.method": "GET"}


def answered(tracing: Tracer, status: int, context: Context | None = None, **said: str) -> None:
    """A request that ended so, as FastAPI tells it."""
    span = tracing.start_span("GET", context, attributes=said)
    span.set_attribute("http.response.status_code", status)
    span.end()


def test_that_callers_get_no_more_than_so_many_a_second() -> None:
    """All of their ids are in the part that is sampled; what begins here is not bounded."""
    ended: list[ReadableSpan] = []
    clock = FakeClock()
    tracing = tracer(SamplingPolicy(ratio=1, caller_ratio=1, most_per_s=20), ended, clock)
    for _ in range(3000):
        tracing.start_span("one", caller(sampled=True)).end()
    assert len(ended) == 20
    clock.advance(0.5)
    for _ in range(3000):
        tracing.start_span("one", caller(sampled=True)).end()
    assert len(ended) == 30
    for _ in range(100):
        tracing.start_span("one").end()
    assert len(ended) == 130


def test_that_failures_have_a_bound_of_their_own() -> None:
    """Callers do not crowd them out, and an outage does not make each request a span."""
    ended: list[ReadableSpan] = []
    tracing = tracer(SamplingPolicy(ratio=0, caller_ratio=1, most_per_s=5), ended)
    for _ in range(100):
        tracing.start_span("asked for", caller(sampled=True)).end()
    for context in (None, caller(sampled=True), caller(sampled=False)) * 30:
        span = tracing.start_span("failed", context)
        span.set_status(StatusCode.ERROR)
        span.end()
    assert [each.name for each in ended] == ["asked for"] * 5 + ["failed"] * 5


def test_that_a_strangers_flag_forces_nothing() -> None:
    """Whoever was not let in; nor does it use up what callers have who were."""
    ended: list[ReadableSpan] = []
    tracing = tracer(SamplingPolicy(ratio=0, caller_ratio=1, most_per_s=1), ended)
    for status in (401, 405, 429, 404):
        answered(tracing, status, caller(sampled=True))
    assert ended == []
    answered(tracing, 404, caller(sampled=True), **{"http.route": "/admin/v1/tenants/{name}"})
    assert len(ended) == 1


def test_that_strangers_are_chosen_as_others_where_they_ask_for_nothing() -> None:
    """By the operator's own ratio."""
    ended: list[ReadableSpan] = []
    answered(tracer(ALL, ended), 401)
    assert len(ended) == 1


def test_that_a_long_tracestate_is_left_out() -> None:
    """By the rule of the data plane: 512 characters are passed on."""
    fits, too_long = f"a={'x' * 252},b={'y' * 255}", f"a={'x' * 253},b={'y' * 255}"
    assert (len(fits), len(too_long)) == (512, 513)
    for state, expected in ((fits, fits), (too_long, "")):
        ended: list[ReadableSpan] = []
        tracer(ALL, ended).start_span("one", caller(sampled=True, state=state)).end()
        assert ended[0].context is not None
        assert ended[0].context.trace_state.to_header() == expected
