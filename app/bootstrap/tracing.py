"""Settings of traces: what is put in force by each configuration, and what is opened once."""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from app.bootstrap.lean import load_libraries
from app.bootstrap.version import own_version
from app.domain.routing.deployment import Api, Deployment, Fleet
from app.domain.tracing.sampling import Sampler, SamplingPolicy
from app.domain.tracing.span_attributes import Server
from app.settings import Tracing

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

    from app.adapters.tracing.request_tracing import RequestTracing
    from app.adapters.tracing.sdk_spans import SpanForm

#: Fields of the section that are read when the process starts; the others follow a reload.
READ_AT_START: Final = frozenset(
    f"tracing.{name}"
    for name in (
        "endpoint", "protocol", "headers", "ca", "azure_monitor", "service_name", "resource",
        "gen_ai_system", "export",
    )
)  # fmt: skip
#: MLflow takes nothing without it, and nobody else asks for it.
_MLFLOWS: Final = "x-mlflow-experiment-id"
_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}


@asynccontextmanager
async def tracing(
    settings: Tracing, redacted: Callable[[str], str]
) -> AsyncIterator[RequestTracing | None]:
    """Open for as long as requests are served; None where nothing is to be traced.

    `redacted` takes secrets out of what upstreams wrote.
    """
    if not settings.is_on:
        yield None
        return
    # 0.1 s of import and 6 MB, only where anything is traced.
    load_libraries("opentelemetry.sdk.resources")
    from app.adapters.tracing import export, exporters, request_tracing  # noqa: PLC0415

    exporters.silence_libraries()
    bounds = export.Bounds(
        queue=settings.export.queue,
        batch=settings.export.batch,
        delay_s=settings.export.delay_s,
        close_s=settings.export.close_s,
    )
    places = _exporters(settings)
    async with export.exporting_spans(places, _form(settings), bounds) as out:
        # Ids are no secrets: what is unlikely to come twice does.
        sampler = Sampler(_policy(settings), random.randbytes)
        yield request_tracing.RequestTracing(sampler, out, redacted)


def follow(opened: RequestTracing, settings: Tracing, fleet: Fleet) -> None:
    """Have a configuration's own part in force."""
    opened.follow(
        _policy(settings),
        most_content=settings.content.max_chars if settings.content.allowed else 0,
        servers={name: server_of(each) for name, each in fleet.deployments.items()},
    )


def _exporters(settings: Tracing) -> list[SpanExporter]:
    from app.adapters.tracing import exporters  # noqa: PLC0415  # as in `tracing`

    found = []
    if settings.endpoint is not None:
        place = exporters.OtlpPlace(
            settings.endpoint,
            {name: value.get_secret_value() for name, value in settings.headers.items()},
            settings.ca,
            settings.export.timeout_s,
        )
        is_grpc = settings.protocol == "grpc"
        found.append((exporters.otlp_over_grpc if is_grpc else exporters.otlp_over_http)(place))
    if settings.azure_monitor is not None:
        secret = settings.azure_monitor.get_secret_value()
        found.append(exporters.azure_monitor(secret, timeout_s=settings.export.timeout_s))
    return found


def _form(settings: Tracing) -> SpanForm:
    from app.adapters.tracing.sdk_spans import form_of  # noqa: PLC0415  # as in `tracing`

    own = own_version()
    service = {
        "service.name": settings.service_name,
        "service.version": own,
        "service.instance.id": str(uuid.uuid4()),
    }
    return form_of(
        service | settings.resource,
        own,
        gen_ai_system=settings.gen_ai_system,
        mlflow=_MLFLOWS in settings.headers,
    )


def _policy(settings: Tracing) -> SamplingPolicy:
    always = settings.always
    return SamplingPolicy(
        ratio=settings.sample,
        caller_ratio=settings.caller_sample,
        errors=always.errors,
        spills=always.spills,
        slow_s=always.slow_s or math.inf,
        most_per_s=settings.most_per_s,
    )


def server_of(deployment: Deployment) -> Server:
    """Who a deployment is to a trace."""
    endpoint = urlsplit(deployment.endpoint)
    return Server(
        address=endpoint.hostname or "",
        port=endpoint.port or _PORTS.get(endpoint.scheme, 443),
        model=deployment.model,
        provider="openai" if deployment.api is Api.OPENAI else "azure.ai.openai",
        region=deployment.region,
    )
