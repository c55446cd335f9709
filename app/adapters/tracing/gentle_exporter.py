"""The SDK's exporter over HTTP, packing what it sends little by little.

The SDK encodes and compresses a batch in one go: some 7 ms for a hundred spans, in which the
interpreter, and on one core the processor, serves no request.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from typing import Final

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from app.adapters.pace import gently
from app.adapters.tracing.otlp_transport import KeptConnection

#: What is packed in one go, as attributes: some 0.1 ms.
_AT_ONCE: Final = 32
#: What a span is beside its attributes, as attributes.
_BARE: Final = 4
#: The fastest.
_LEVEL: Final = 1


class GentleExporter(OTLPSpanExporter):
    """One receiver's; protobuf, compressed."""

    def __init__(
        self, url: str, headers: dict[str, str], timeout_s: float, connection: KeptConnection
    ) -> None:
        """`headers` and time-out are told so that none are taken from the environment."""
        super().__init__(
            endpoint=url,
            headers=headers | {"content-encoding": "gzip"},
            timeout=timeout_s,
            compression=Compression.NoCompression,  # by the SDK, that is
            _transport=connection,
        )

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them, in the exporter's own thread; tried again as the SDK does."""
        sent = self._client.export(packed(spans))
        return SpanExportResult.SUCCESS if sent.success else SpanExportResult.FAILURE


def packed(spans: Sequence[ReadableSpan]) -> bytes:
    """A request's body: messages of protobuf that follow each other are one, with all their lists.

    Compressed as a whole: for each call that leaves the interpreter to others, it waits for it.
    """
    parts = (encode_spans(part).SerializeToString() for part in gently(_parts(spans)))
    return gzip.compress(b"".join(parts), _LEVEL, mtime=0)


def _parts(spans: Sequence[ReadableSpan]) -> Iterator[list[ReadableSpan]]:
    """Each as large as what is packed in one go: with each, the SDK packs who they are from."""
    part: list[ReadableSpan] = []
    size = 0
    for span in spans:
        part.append(span)
        size += _BARE + len(span.attributes or ())
        if size >= _AT_ONCE:
            yield part
            part, size = [], 0
    if part:
        yield part
