"""Where a request stands in a trace that began before it and goes on after it.

Names and forms are those of W3C Trace Context, level 2.
"""

from __future__ import annotations

from typing import Final

import msgspec

#: Zero is no id.
_IDS: Final = 2**64 - 1


class Caller(msgspec.Struct, frozen=True, gc=False):
    """The trace that a caller says its request belongs to."""

    trace_id: str  # 32 lower-case hexadecimal digits, not all zero
    span_id: str  # 16 of them: the caller's span
    is_sampled: bool  # the caller records its own part
    state: str = ""  # `tracestate`: what other tracing systems pass along


class TraceContext(msgspec.Struct, frozen=True, gc=False):
    """One request in its trace; `span_id` is the gateway's own span of it.

    `is_sampled`: chosen at the start to be recorded, however it ends. Others may be chosen at their
    end, for how that was.
    """

    trace_id: str
    span_id: str
    is_sampled: bool
    caller: Caller | None = None  # None: the trace begins here

    def child(self, number: int) -> str:
        """The id of one of its spans, counted from 1, without drawing another random number.

        Ids have to differ within a trace alone; two requests of one trace drew theirs at random.
        """
        following = (int(self.span_id, 16) + number) % _IDS or _IDS
        return following.to_bytes(8).hex()
