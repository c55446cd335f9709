"""The spans of one request as a value, whoever they are sent to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

#: What a span can hold. Exporters look at the exact type, which a StrEnum's is not.
Attribute = str | bool | int | float | tuple[str, ...]
Attributes = Mapping[str, Attribute]


class SpanKind(Enum):
    """On which side of a call a span is."""

    SERVER = "server"
    CLIENT = "client"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """Something at a moment; Unix time in nanoseconds."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class SpanLink:
    """Another trace's span that this one has to do with."""

    trace_id: str
    span_id: str


@dataclass(frozen=True, slots=True)
class Span:
    """Ids are hexadecimal; `parent_id` empty: the trace begins with it. Unix time, nanoseconds."""

    span_id: str
    parent_id: str
    name: str
    kind: SpanKind
    begins: int
    ends: int
    attributes: Attributes = field(default_factory=dict)
    failed: bool = False
    events: tuple[SpanEvent, ...] = ()
    links: tuple[SpanLink, ...] = ()


@dataclass(frozen=True, slots=True)
class SpanTree:
    """All spans of a request, its own first; every child lies within its parent.

    `state` is the caller's tracestate; its span is the parent of the first one, where there is one.
    """

    trace_id: str
    spans: tuple[Span, ...]
    state: str = ""

    @property
    def request(self) -> Span:
        """The request's own."""
        return self.spans[0]
