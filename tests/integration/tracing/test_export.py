"""Spans on their way to receivers that answer, and to such as never do."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]  # it has none
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from app.adapters.tracing.export import Bounds, exporting_spans
from app.adapters.tracing.exporters import (
    OtlpPlace,
    azure_monitor,
    http_endpoint,
    otlp_over_grpc,
    otlp_over_http,
)
from app.adapters.tracing.sdk_spans import form_of
from app.domain.tracing.span_attributes import Server
from app.domain.tracing.span_tree import span_tree
from tests.fakes.ingestion import ingestion
from tests.fakes.receipts import TRACE_ID, receipt, recorded
from tests.fakes.trace_receiver import TraceReceiver, trace_receiver

FORM = form_of({"service.name": "spillgate"}, "1.0")
SOON = Bounds(delay_s=0.05, close_s=10)
SPANS = 3  # of one receipt: the request, its attempt and the relay
ROOT = Path(__file__).parents[3]


class GrpcReceiver(TraceServiceServicer):
    """What came, and with which metadata."""

    def __init__(self) -> None:
        self.batches: list[ExportTraceServiceRequest] = []
        self.metadata: list[dict[str, Any]] = []

    def Export(self, request: Any, context: Any) -> ExportTraceServiceResponse:  # noqa: N802  # gRPC's name
        self.metadata.append(dict(context.invocation_metadata()))
        self.batches.append(request)
        return ExportTraceServiceResponse()


@pytest.fixture
def grpc_receiver() -> Iterator[tuple[GrpcReceiver, str]]:
    receiver = GrpcReceiver()
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        add_TraceServiceServicer_to_server(receiver, server)  # type: ignore[no-untyped-call]  # generated
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield receiver, f"http://127.0.0.1:{port}"
        server.stop(None).wait(10)


def names_of(batches: list[ExportTraceServiceRequest]) -> list[str]:
    return [
        span.name
        for batch in batches
        for group in batch.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


async def test_over_grpc(
    grpc_receiver: tuple[GrpcReceiver, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same spans, with the headers of the config alone."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=somebody-elses")
    receiver, url = grpc_receiver
    for headers in ({}, {"x-token": "ours"}):
        exporter = otlp_over_grpc(OtlpPlace(url, headers))
        async with exporting_spans([exporter], FORM, SOON) as out:
            out.record(recorded())
    assert names_of(receiver.batches).count("chat gpt-4o") == 2
    without, with_token = receiver.metadata
    assert "authorization" not in without
    assert with_token["x-token"] == "ours"
    assert "authorization" not in with_token


async def test_what_waits_at_the_end_is_sent() -> None:
    """It has `close_s` seconds."""
    async with trace_receiver() as receiver:
        late = Bounds(delay_s=60, close_s=10)
        exporter = otlp_over_http(OtlpPlace(receiver.url))
        async with exporting_spans([exporter], FORM, late) as out:
            out.record(recorded())
            assert receiver.spans == []
        assert len(receiver.spans) == out.sent_total == SPANS
        assert out.lost_total == 0


@pytest.mark.usefixtures("has_policies")
async def test_spans_are_sent_behind_requests_until_the_end() -> None:
    """Whatever the exporter: nobody waits for it before."""
    policies: list[int] = []
    sent = asyncio.Event()
    loop = asyncio.get_running_loop()

    class Looking(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            policies.append(os.sched_getscheduler(0))
            loop.call_soon_threadsafe(sent.set)
            return SpanExportResult.SUCCESS

    at_once = Bounds(batch=SPANS, delay_s=60, close_s=10)
    async with exporting_spans([Looking()], FORM, at_once) as out:
        out.record(recorded())
        await sent.wait()
        out.put(FORM.spans(span_tree(recorded(2), {}))[:1])
        policies_before = list(policies)
    assert policies_before == [os.SCHED_BATCH]
    assert policies[1:] == [os.SCHED_OTHER]


async def test_several_receivers_get_the_same() -> None:
    """One that is away takes nothing from the others."""
    async with trace_receiver() as one, trace_receiver() as other:
        other.status = 400
        exporters = [otlp_over_http(OtlpPlace(each.url)) for each in (one, other)]
        async with exporting_spans(exporters, FORM, SOON) as out:
            out.record(recorded())
    assert (len(one.spans), len(other.spans)) == (SPANS, 0)
    assert (out.sent_total, out.lost_total) == (SPANS, SPANS)


async def test_a_trace_that_finds_no_room_is_dropped_whole() -> None:
    """Those in the queue stay whole, too."""
    async with trace_receiver() as receiver:
        bounds = Bounds(queue=64, batch=64, delay_s=60, close_s=10)
        exporter = otlp_over_http(OtlpPlace(receiver.url))
        async with exporting_spans([exporter], FORM, bounds) as out:
            receiver.frozen = True
            for number in range(1, 50):
                out.record(recorded(number))
            lost = out.lost_total
            receiver.frozen = False
        assert lost % SPANS == 0
        assert lost > 0
        assert lost + len(receiver.spans) == 49 * SPANS
        assert whole(receiver)


def whole(receiver: TraceReceiver) -> bool:
    names = [each.name for each in receiver.spans]
    return all(names.count(name) == names.count("chat gpt-4o") for name in set(names))


async def test_a_receipt_that_makes_no_spans_is_counted() -> None:
    """And no request fails for it."""
    async with exporting_spans([], FORM, SOON) as out:
        out.record(receipt(trace=None, trace_id=TRACE_ID))
        assert out.lost_total == 1


async def test_a_redirect_is_a_mistake() -> None:
    """A login page in front of a receiver takes nothing, whatever the SDK makes of its answer."""
    async with trace_receiver() as receiver:
        receiver.status = 302
        exporter = otlp_over_http(OtlpPlace(receiver.url))
        async with exporting_spans([exporter], FORM, SOON) as out:
            out.record(recorded())
    assert (out.sent_total, out.lost_total) == (0, SPANS)


@pytest.mark.parametrize("url", ["http://c:4318", "http://c:4318/", "http://c:4318/v1/traces/"])
def test_the_path_of_traces_is_added_where_it_is_missing(url: str) -> None:
    """As with the base URL that other programs are given."""
    assert http_endpoint(url) == "http://c:4318/v1/traces"


@contextmanager
def silence() -> Iterator[str]:
    """A server that takes connections and never says a word, as one does that was stopped."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


LAST_WORDS = """
import asyncio, sys, time
from app.adapters.tracing.export import Bounds, exporting_spans
from app.adapters.tracing.exporters import OtlpPlace, otlp_over_grpc, otlp_over_http
from app.adapters.tracing.sdk_spans import form_of
from tests.fakes.receipts import recorded

async def main(protocol, url):
    make = {"http": otlp_over_http, "grpc": otlp_over_grpc}[protocol]
    exporters = [make(OtlpPlace(url, timeout_s=300))]
    bounds = Bounds(delay_s=0.01, close_s=0.2)
    async with exporting_spans(exporters, form_of({}, "1"), bounds) as out:
        for number in range(1, 20):
            out.record(recorded(number))
        await asyncio.sleep(0.3)
        began = time.monotonic()
    print(out.lost_total, time.monotonic() - began < 10, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_process_ends_whatever_its_receiver_does(protocol: str) -> None:
    """It waits no longer than it may, and nothing that still sends keeps the interpreter.

    The time-out would be five minutes. What the receiver had not taken is lost.
    """
    with silence() as url:
        ended = subprocess.run(
            [sys.executable, "-c", LAST_WORDS, protocol, url],
            cwd=ROOT, timeout=120, capture_output=True, text=True, check=True,
        )  # fmt: skip
    assert ended.stdout == f"{19 * SPANS} True\n"


async def test_application_insights_shows_calls_of_a_model() -> None:
    """Requests and dependencies, the latter as such of generative AI where that is asked for."""
    form = form_of({"service.name": "spillgate"}, "1.0", gen_ai_system=True)
    async with ingestion() as insights:
        said = insights.connection_string
        exporter = await asyncio.to_thread(azure_monitor, said, timeout_s=10)
        async with exporting_spans([exporter], form, SOON) as out:
            out.servers = {"ptu": Server("ptu.example", 443, "gpt-4o")}
            out.record(recorded())
    assert (out.sent_total, out.lost_total) == (SPANS, 0)
    assert len(insights.of("RequestData")) == 1
    calls = insights.of("RemoteDependencyData")
    assert len(calls) == len(insights.envelopes) - 1
    (attempt,) = [each for each in calls if each["name"] == "attempt ptu"]
    assert attempt["type"] == "GenAI | azure.ai.openai"
    assert all(path.endswith("/track") for path in insights.paths)
