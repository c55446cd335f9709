"""Where spans can be sent: an OTLP receiver over HTTP or gRPC, Application Insights.

The SDK's exporters complete what they are not told from `OTEL_*` variables, headers among it, which
may be tokens for somebody else. They are told everything, and what they add is taken away again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from opentelemetry.sdk.trace.export import SpanExporter

from app.adapters.tracing.gentle_exporter import GentleExporter
from app.adapters.tracing.otlp_transport import KeptConnection

_PATH: Final = "/v1/traces"
#: Beside the configured ones.
_OWN_HEADERS: Final = frozenset({"content-type", "content-encoding", "user-agent"})
#: Microsoft's statistics of its own exporter, its remote control, and a metric of a resource that
#: no tracer provider has here: there is no other switch than variables.
_NOT_SENT: Final = (
    "STATSBEAT_DISABLED_ALL",
    "SDKSTATS_DISABLED",
    "CONTROLPLANE_DISABLED",
    "OPENTELEMETRY_RESOURCE_METRIC_DISABLED",
)
#: What these libraries have to say is told once, by `export`, and without their words.
_LOGGERS: Final = ("opentelemetry", "azure.monitor", "azure.core", "urllib3")


@dataclass(frozen=True, slots=True)
class OtlpPlace:
    """An OTLP receiver; `ca` is a PEM file, None for the authorities that are known anyway."""

    endpoint: str
    headers: Mapping[str, str] = field(default_factory=dict)
    ca: str | None = None
    timeout_s: float = 5.0


def silence_libraries() -> None:
    """Have a receiver that is away not fill the log, once for each batch."""
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def otlp_over_http(place: OtlpPlace) -> SpanExporter:
    """Protobuf, compressed."""
    url = http_endpoint(place.endpoint)
    connection = KeptConnection(url, _OWN_HEADERS | place.headers.keys(), place.ca)
    return GentleExporter(url, dict(place.headers), place.timeout_s, connection)


def http_endpoint(url: str) -> str:
    """The URL that spans are posted to (OTLP 1.9: base URLs are completed)."""
    base = url.rstrip("/")
    return base if base.endswith(_PATH) else base + _PATH


def otlp_over_grpc(place: OtlpPlace) -> SpanExporter:
    """The same over gRPC, which is an extra."""
    import grpc  # type: ignore[import-untyped]  # noqa: PLC0415  # only where it is asked for
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (  # noqa: PLC0415  # the same
        OTLPSpanExporter as GrpcExporter,
    )

    insecure = place.endpoint.startswith("http://")
    root = Path(place.ca).read_bytes() if place.ca else None
    exporter = GrpcExporter(
        endpoint=place.endpoint,
        insecure=insecure,
        credentials=None if insecure else grpc.ssl_channel_credentials(root),
        headers=dict(place.headers),
        timeout=place.timeout_s,
        compression=grpc.Compression.Gzip,
    )
    exporter._headers = tuple(place.headers.items())  # noqa: SLF001  # empty ones are completed
    return exporter


def azure_monitor(connection_string: str, *, timeout_s: float) -> SpanExporter:
    """Application Insights, an extra. Nothing is kept on the disk, and nothing else is sent."""
    for name in _NOT_SENT:
        os.environ[f"APPLICATIONINSIGHTS_{name}"] = "true"
    from azure.monitor.opentelemetry.exporter import (  # noqa: PLC0415  # only where it is asked for
        AzureMonitorTraceExporter,
    )

    exporter: SpanExporter = AzureMonitorTraceExporter(
        connection_string=connection_string,
        disable_offline_storage=True,
        timeout=timeout_s,  # of the connection; it is its client's connection_timeout
        read_timeout=timeout_s,
        retry_total=1,
    )
    return exporter
