"""`traceparent` and `tracestate`: W3C Trace Context, level 2.

`baggage` is neither read nor passed on: applications put what they like into it, customers' names
among it, and an upstream has no use for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from app.domain.call.trace import Caller, TraceContext

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"

#: Later versions may say more after the flags; nothing but the first form is written (section 2.2).
_TRACEPARENT: Final = re.compile(
    r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[\x21-\x7e]*)?"
)
_KEY: Final = r"[a-z0-9][a-z0-9_\-*/@]{0,255}"
_VALUE: Final = r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_MEMBER: Final = re.compile(rf"{_KEY}={_VALUE}")
_MOST_MEMBERS: Final = 32
#: The least that has to be passed on; longer ones may be dropped (section 3.3.1.5).
_MOST_CHARS: Final = 512
_SAMPLED: Final = 1


def caller_of(headers: Mapping[str, str]) -> Caller | None:
    """The trace that a request belongs to; None where it says nothing, or nothing valid.

    `headers` have names in lower case. A `tracestate` that is not valid is left out by itself.
    """
    said = headers.get(TRACEPARENT)
    found = _TRACEPARENT.fullmatch(said.strip()) if said else None
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more is not None):
        return None
    if not trace_id.strip("0") or not span_id.strip("0"):
        return None
    state = state_of(headers.get(TRACESTATE, ""))
    return Caller(trace_id, span_id, bool(int(flags, 16) & _SAMPLED), state)


def trace_headers(trace: TraceContext, span_id: str) -> dict[str, str]:
    """What an upstream is sent, whose caller is the span of this id.

    The flag is the caller's where there is one: what an upstream of several gateways does is not
    changed by how many of their own spans those record.
    """
    caller = trace.caller
    is_sampled = trace.is_sampled if caller is None else caller.is_sampled
    flags = "01" if is_sampled else "00"
    headers = {TRACEPARENT: f"00-{trace.trace_id}-{span_id}-{flags}"}
    if caller is not None and caller.state:
        headers[TRACESTATE] = caller.state
    return headers


def passed_on(caller: Caller) -> dict[str, str]:
    """The same of a gateway that is no part of the trace itself."""
    as_received = TraceContext(caller.trace_id, caller.span_id, caller.is_sampled, caller)
    return trace_headers(as_received, caller.span_id)


def state_of(text: str) -> str:
    """A `tracestate` as it came, without empty members; empty where it is invalid or too long."""
    members = [member for each in text.split(",") if (member := each.strip(" \t"))]
    keys = {member.partition("=")[0] for member in members}
    is_valid = all(_MEMBER.fullmatch(member) for member in members)
    is_fit = len(keys) == len(members) <= _MOST_MEMBERS
    state = ",".join(members)
    return state if is_valid and is_fit and len(state) <= _MOST_CHARS else ""
