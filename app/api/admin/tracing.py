"""Spans of the admin plane's requests, by FastAPI's own telemetry, without what callers wrote."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

from fastapi.telemetry import TelemetryConfig
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Tracer, TracerProvider, get_current_span
from opentelemetry.util.types import Attributes

from app.api.readiness import LIVE_PATH, READY_PATH

REQUEST_ID: Final = "spillgate.request_id"
_UNTRACED: Final = frozenset({LIVE_PATH, READY_PATH, "/metrics"})
#: Pages that are open ask every two seconds.
_CONSOLE: Final = "/console"
# Of what FastAPI says at the start of a span. Path, query and host are the caller's own text, and
# people paste keys there; the route and the request id say which request it was.
_KEPT: Final = frozenset({"http.request.method", "network.protocol.version", "url.scheme"})


def telemetry(provider: TracerProvider | None) -> TelemetryConfig:
    """What FastAPI is given; without a provider nothing is traced, whatever the environment says.

    Spans inside a request (of dependencies, of serialization) double what a request's span costs.
    Its log records carry the messages of exceptions, which may quote anything; a span says the
    class alone.
    """
    return TelemetryConfig(
        tracing=provider is not None,
        tracer_provider=provider and SparingProvider(provider),
        metrics=False,
        logs=False,
        operation_spans=False,
        auto_configure=False,
        exclude=_is_untraced,
    )


def name_request(request_id: str) -> None:
    """Say on the request's span which request it is."""
    get_current_span().set_attribute(REQUEST_ID, request_id)


class SparingProvider(TracerProvider):
    """Another provider, whose tracers begin spans with attributes that no caller wrote."""

    def __init__(self, inner: TracerProvider) -> None:
        """`inner` makes and exports the spans."""
        self._inner = inner

    def get_tracer(self, *args: Any, **options: Any) -> Tracer:
        """As the other's, sparing."""
        return SparingTracer(self._inner.get_tracer(*args, **options))


class SparingTracer(Tracer):
    """Another tracer, whose spans begin with attributes that no caller wrote."""

    def __init__(self, inner: Tracer) -> None:
        """`inner` begins the spans."""
        self._inner = inner

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        *args: Any,
        **options: Any,
    ) -> Span:
        """As the other's, with the attributes that are kept."""
        return self._inner.start_span(name, context, kind, _kept(attributes), *args, **options)

    def start_as_current_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        *args: Any,
        **options: Any,
    ) -> Any:
        """As the other's, with the attributes that are kept."""
        return self._inner.start_as_current_span(
            name, context, kind, _kept(attributes), *args, **options
        )


def _kept(attributes: Attributes) -> Attributes:
    return {name: value for name, value in (attributes or {}).items() if name in _KEPT}


def _is_untraced(scope: MutableMapping[str, Any]) -> bool:
    path: str = scope["path"]
    return path in _UNTRACED or path.startswith(_CONSOLE)
