"""Spans are packed little by little, and a receiver cannot tell."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan

from app.adapters.tracing import gentle_exporter
from app.adapters.tracing.gentle_exporter import packed
from app.adapters.tracing.sdk_spans import form_of
from app.domain.tracing.span_tree import span_tree
from tests.fakes.receipts import recorded

FORM = form_of({"service.name": "spillgate"}, "1.0")


def spans_of(requests: int) -> list[ReadableSpan]:
    return [
        span
        for number in range(1, requests + 1)
        for span in FORM.spans(span_tree(recorded(number), {}))
    ]


def each_with_its_origin(request: ExportTraceServiceRequest) -> list[Any]:
    return [
        (group.resource, scope.scope, span)
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


@pytest.mark.parametrize("requests", [0, 1, 2, 50])
def test_that_it_is_what_the_sdk_would_pack_in_one_go(requests: int) -> None:
    """The same spans in their order, each beside whom and what it is from."""
    spans = spans_of(requests)
    told = ExportTraceServiceRequest.FromString(gzip.decompress(packed(spans)))
    assert each_with_its_origin(told) == each_with_its_origin(encode_spans(spans))
    assert len(each_with_its_origin(told)) == len(spans)


def test_that_small_spans_are_packed_together_and_large_ones_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With each part the SDK packs whom it is from; and a part holds requests up."""
    parts: list[Sequence[ReadableSpan]] = []

    def encode(part: Sequence[ReadableSpan]) -> ExportTraceServiceRequest:
        parts.append(part)
        return encode_spans(part)

    monkeypatch.setattr(gentle_exporter, "encode_spans", encode)
    spans = spans_of(50)
    packed(spans)
    assert len(parts) < len(spans) / 2
    assert max(sum(len(each.attributes or ()) for each in part) for part in parts) < 64
