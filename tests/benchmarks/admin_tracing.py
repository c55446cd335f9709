"""What a span costs a request of the admin API, by two ways of tracing it.

The application is called in this process, without a server; spans go to an exporter that drops
them. Prints the microseconds of processor time a request takes more than without tracing, as the
median of rounds that take turns. `python -m tests.benchmarks.admin_tracing`.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

from fastapi import FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler

from app.api.admin.application import create_admin
from tests.fakes.admin import OWNER_KEY, AdminHouse
from tests.fakes.changed import replace

_ROUNDS: Final = 15
_REQUESTS: Final = 200
_PATHS: Final = ("/admin/v1/me", "/admin/v1/tenants", "/healthz")


class _Dropping(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def _provider(sampler: Sampler) -> TracerProvider:
    provider = TracerProvider(sampler=sampler)
    provider.add_span_processor(BatchSpanProcessor(_Dropping(), max_queue_size=100_000))
    return provider


def _own(house: AdminHouse, sampler: Sampler) -> FastAPI:
    return create_admin(replace(house.services(), tracing=_provider(sampler)))


def _package(house: AdminHouse, sampler: Sampler) -> FastAPI:
    app = house.app()
    FastAPIInstrumentor.instrument_app(
        app,
        tracer_provider=_provider(sampler),
        meter_provider=NoOpMeterProvider(),
        excluded_urls="/metrics,/healthz,/readyz",
        exclude_spans=["receive", "send"],
    )
    return app


def _scope(path: str) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"admin"), (b"authorization", b"Bearer " + OWNER_KEY.encode())],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8081),
    }


async def _request(app: FastAPI, path: str) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        assert message.get("status", 200) == 200, message

    await app(_scope(path), receive, send)


async def _round(app: FastAPI, path: str) -> float:
    started = time.process_time()
    for _ in range(_REQUESTS):
        await _request(app, path)
    return (time.process_time() - started) / _REQUESTS * 1e6


async def main() -> None:
    """Print one line for each path."""
    house = AdminHouse()
    apps = {
        "without": house.app(),
        "FastAPI's own": _own(house, ALWAYS_ON),
        "FastAPI's own, not sampled": _own(house, ALWAYS_OFF),
        "the package": _package(house, ALWAYS_ON),
        "the package, not sampled": _package(house, ALWAYS_OFF),
    }
    for path in _PATHS:
        taken: dict[str, list[float]] = {name: [] for name in apps}
        for _ in range(_ROUNDS + 1):
            for name, app in apps.items():
                taken[name].append(await _round(app, path))
        medians = {name: statistics.median(times[1:]) for name, times in taken.items()}
        base = medians.pop("without")
        more = ", ".join(f"{name} +{median - base:.0f} µs" for name, median in medians.items())
        sys.stdout.write(f"{path}: {base:.0f} µs; {more}\n")


if __name__ == "__main__":
    asyncio.run(main())
