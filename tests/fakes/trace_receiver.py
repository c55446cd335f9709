"""A receiver of traces: OTLP over HTTP, protobuf, compressed or not."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.fakes.listening import listening


@dataclass(frozen=True, slots=True)
class Received:
    """One span as it arrived; ids are hexadecimal, times Unix nanoseconds."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    begins: int
    ends: int
    failed: bool
    state: str
    attributes: Mapping[str, Any]
    service: Mapping[str, Any]
    events: tuple[str, ...]
    links: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class TraceReceiver:
    """What came; `status` is what it answers, and while `frozen` is set it answers nothing."""

    url: str = ""
    spans: list[Received] = field(default_factory=list)
    #: Each batch with every field of it, as protobuf prints it.
    raw: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    status: int = 200
    frozen: bool = False
    thawed: asyncio.Event = field(default_factory=asyncio.Event)

    async def trace(self, trace_id: str, *, within_s: float = 30.0) -> list[Received]:
        """The spans of one trace, once its request's is there; they are sent together."""
        await self.until(lambda: any(each.trace_id == trace_id for each in self.spans), within_s)
        return [each for each in self.spans if each.trace_id == trace_id]

    async def until(self, holds: Callable[[], bool], within_s: float = 30.0) -> None:
        """Wait until a condition holds; fail when it does not in time."""
        async with asyncio.timeout(within_s):
            while not holds():
                await asyncio.sleep(0.01)

    async def take(self, request: web.Request) -> web.Response:
        """One batch."""
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        body = await request.read()
        if self.frozen:
            await self.thawed.wait()
            return web.Response(status=503)
        if self.status == 200:
            if request.headers.get("content-encoding") == "gzip" and body[:2] == b"\x1f\x8b":
                body = gzip.decompress(body)
            self._read(ExportTraceServiceRequest.FromString(body))
        return web.Response(
            status=self.status,
            body=ExportTraceServiceResponse().SerializeToString(),
            content_type="application/x-protobuf",
            headers={"location": "/elsewhere"} if 300 <= self.status < 400 else {},
        )

    def _read(self, batch: ExportTraceServiceRequest) -> None:
        self.raw.append(str(batch))
        for group in batch.resource_spans:
            service = _values(group.resource.attributes)
            for scope in group.scope_spans:
                self.spans += [_received(span, service) for span in scope.spans]


def _received(span: Span, service: Mapping[str, Any]) -> Received:
    return Received(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        name=span.name,
        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        begins=span.start_time_unix_nano,
        ends=span.end_time_unix_nano,
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        state=span.trace_state,
        attributes=_values(span.attributes),
        service=service,
        events=tuple(each.name for each in span.events),
        links=tuple((each.trace_id.hex(), each.span_id.hex()) for each in span.links),
    )


def _values(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {each.key: _value(each.value) for each in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, kind) if kind else None


@asynccontextmanager
async def trace_receiver() -> AsyncIterator[TraceReceiver]:
    """Listening on a free port."""
    receiver = TraceReceiver()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/v1/traces", receiver.take)
    async with listening(app) as receiver.url:
        yield receiver
        receiver.thawed.set()
