"""W3C Trace Context, in and out."""

from __future__ import annotations

import pytest

from app.domain.call.trace import Caller, TraceContext
from app.wire.trace_context import caller_of, passed_on, trace_headers

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
VALID = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("traceparent", "is_sampled"),
    [
        (VALID, True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"00-{TRACE}-{SPAN}-02", False),
        (f"cc-{TRACE}-{SPAN}-01-what-comes-later", True),
        (f" {VALID} ", True),
    ],
    ids=["sampled", "not", "with the random flag", "that alone", "a later version", "padded"],
)
def test_a_valid_context_is_the_callers(traceparent: str, is_sampled: bool) -> None:  # noqa: FBT001  # a column of the table
    """Of any version but ff; only the first flag says whether it is sampled."""
    assert caller_of({"traceparent": traceparent}) == Caller(TRACE, SPAN, is_sampled)


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "nonsense",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"{VALID}-more",
        f"cc-{TRACE}-{SPAN}-01more",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"{VALID}, {VALID}",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-0x",
    ],
)
def test_what_is_not_valid_is_no_context(traceparent: str) -> None:
    """Nothing of it is used, its state included; the request is served all the same."""
    assert caller_of({"traceparent": traceparent, "tracestate": "a=1"}) is None


@pytest.mark.parametrize(
    ("tracestate", "kept"),
    [
        ("congo=t61rcWkgMzE,rojo=00f067aa0ba902b7", "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"),
        ("a=1,, \tb=2 ,", "a=1,b=2"),
        ("fw529a3039@dt=FfAAAA", "fw529a3039@dt=FfAAAA"),
        ("a=1,a=2", ""),
        ("A=1", ""),
        ("a", ""),
        ("a=1=2", ""),
        ("a=\x01", ""),
        (",".join(f"k{n}=v" for n in range(33)), ""),
        (f"a={'x' * 200},b={'x' * 200},c={'x' * 200}", ""),
    ],
)
def test_a_state_that_is_not_valid_is_left_out_alone(tracestate: str, kept: str) -> None:
    """The trace goes on without it."""
    found = caller_of({"traceparent": VALID, "tracestate": tracestate})
    assert found == Caller(TRACE, SPAN, is_sampled=True, state=kept)


def test_an_upstream_is_called_by_the_attempt() -> None:
    """In the caller's trace, with its state, and flagged as the caller had it."""
    caller = Caller(TRACE, SPAN, is_sampled=True, state="a=1")
    context = TraceContext(TRACE, "b" * 16, is_sampled=False, caller=caller)
    assert trace_headers(context, context.child(1)) == {
        "traceparent": f"00-{TRACE}-{'b' * 15}c-01",
        "tracestate": "a=1",
    }


def test_a_trace_that_begins_here_is_flagged_as_we_chose() -> None:
    """There is nobody else to ask."""
    for is_sampled, flag in ((True, "01"), (False, "00")):
        context = TraceContext(TRACE, "b" * 16, is_sampled=is_sampled)
        assert trace_headers(context, SPAN) == {"traceparent": f"00-{TRACE}-{SPAN}-{flag}"}


def test_a_gateway_without_traces_changes_nothing() -> None:
    """The caller is the upstream's caller."""
    headers = {"traceparent": VALID, "tracestate": "a=1"}
    caller = caller_of(headers)
    assert caller is not None
    assert passed_on(caller) == headers
