"""Where a request stands in a trace that began before it and goes on after it.

Names and forms are those of W3C Trace Context, level 2.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """The trace that a caller says its request belongs to."""

    trace_id: str  # 32 lower-case hexadecimal digits, not all zero
    span_id: str  # 16 of them: the caller's span
    is_sampled: bool  # the caller records its own part
    state: str = ""  # `tracestate`: what other tracing systems pass along


@dataclass(frozen=True, slots=True)
class TraceContext:
    """One request in its trace; `span_id` is the gateway's own span of it.

    `is_sampled`: chosen at the start to be recorded, however it ends. Others may be chosen at their
    end, for how that was.
    """

    trace_id: str
    span_id: str
    is_sampled: bool
    caller: Caller | None = None  # None: the trace begins here
