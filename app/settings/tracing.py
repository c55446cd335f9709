"""The section about traces: where they go, and of which requests there are any."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, SecretStr, StringConstraints, field_validator

from app.settings.receiver import HeaderName, ReceiverUrl, is_installed
from app.settings.section import Float, Int, Seconds, Secret, Section, Text

_Part = Annotated[Float, Field(ge=0, le=1)]
_Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,128}$")]
_GRPC: Final = "opentelemetry.exporter.otlp.proto.grpc"
_AZURE_MONITOR: Final = "azure.monitor.opentelemetry.exporter"


class AlwaysTraced(Section):
    """Requests that are traced for how they ended, whatever `sample` says."""

    errors: bool = True
    """Failures of the gateway or an upstream, and want of capacity; not a caller's own mistakes."""
    spills: bool = True
    """Answered requests that left their first tier."""
    slow_s: Annotated[Float, Field(ge=0, le=86_400)] = 30.0
    """Those that took so many seconds; 0: none for that."""


class TraceExport(Section):
    """What a worker does with spans that wait to be sent. No request waits for any of it."""

    timeout_s: Seconds = 5.0
    """For one sending, repetitions included."""
    delay_s: Annotated[Float, Field(ge=0.01, le=60)] = 1.0
    """Spans are sent together, so often."""
    queue: Annotated[Int, Field(ge=64, le=1_000_000)] = 4096
    """Spans that may wait; traces that find no room for all of theirs are dropped and counted."""
    batch: Annotated[Int, Field(ge=1, le=8192)] = 256
    """Spans sent at once."""
    close_s: Annotated[Float, Field(ge=0, le=60)] = 2.0
    """What waits at the end is sent within this time, or not at all."""


class TraceContent(Section):
    """Prompts and answers in traces, redacted: of tenants with `trace_content`, and no others."""

    allowed: bool = False
    """Whether any tenant's may be there."""
    max_chars: Annotated[Int, Field(ge=64, le=131_072)] = 8192
    """Of the prompt, and of the answer; the latest messages are kept."""


class Tracing(Section):
    """Off without `endpoint` and `azure_monitor`. `OTEL_*` variables are not read."""

    endpoint: ReceiverUrl | None = None
    """An OTLP receiver. With http `/v1/traces` is added where it does not end so."""
    protocol: Literal["http", "grpc"] = "http"
    """OTLP over HTTP or gRPC; gRPC is an extra of the package."""
    headers: dict[HeaderName, Secret] = Field(default_factory=dict)
    """Sent along, such as a token; names in lower case."""
    ca: Text | None = None
    """A PEM file with the authority of the receiver's certificate, where it is one's own."""
    azure_monitor: Secret | None = None
    """Connection string of Application Insights."""
    service_name: Text = "spillgate"
    """What traces call the gateway."""
    resource: dict[_Key, Text] = Field(default_factory=dict)
    """Further attributes of the service, such as deployment.environment.name."""
    sample: _Part = 0.01
    """Of requests that begin a trace. The rest are counted in metrics and in the ledger; what is
    worth a look is traced anyway, by `always`."""
    caller_sample: _Part = 0.1
    """Of requests whose caller records its own part of the trace."""
    always: AlwaysTraced = AlwaysTraced()
    most_per_s: Annotated[Float, Field(gt=0, le=100_000)] = 50.0
    """Traces a second and worker, of those that callers ask for; and of those by `always`."""
    content: TraceContent = TraceContent()
    gen_ai_system: bool = False
    """Also send the deprecated `gen_ai.system`, which Azure Monitor still goes by."""
    export: TraceExport = TraceExport()

    @property
    def is_on(self) -> bool:
        """Whether there is anywhere to send spans to."""
        return self.endpoint is not None or self.azure_monitor is not None

    @field_validator("protocol")
    @classmethod
    def _is_installed(cls, value: str) -> str:
        if value == "grpc" and not is_installed(_GRPC):
            msg = "grpc needs a package that is not installed: pip install 'spillgate[otlp-grpc]'"
            raise ValueError(msg)
        return value

    @field_validator("azure_monitor")
    @classmethod
    def _can_be_reached(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        if not is_installed(_AZURE_MONITOR):
            msg = "needs a package that is not installed: pip install 'spillgate[azure-monitor]'"
            raise ValueError(msg)
        if "instrumentationkey=" not in value.get_secret_value().lower():
            msg = "must be a connection string: InstrumentationKey=…;IngestionEndpoint=…"
            raise ValueError(msg)
        return value
