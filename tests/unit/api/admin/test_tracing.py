from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
import pytest
from fastapi import FastAPI
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from app.api.admin.application import create_admin
from tests.fakes.admin import OWNER_KEY, AdminHouse, key_text
from tests.fakes.changed import replace

CANARY = "c4nary-5ecret"


@dataclass(slots=True)
class Traced:
    """An admin API whose spans end in `exporter`."""

    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    provider: TracerProvider = field(default_factory=lambda: TracerProvider(shutdown_on_exit=False))

    def __post_init__(self) -> None:
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """Those that ended."""
        return self.exporter.get_finished_spans()

    def app(self, house: AdminHouse) -> FastAPI:
        """The application, with a route that fails."""
        app = create_admin(replace(house.services(), tracing=self.provider))

        @app.get("/fault")
        async def fault() -> None:
            raise ValueError(CANARY)

        return app

    @asynccontextmanager
    async def client(self, house: AdminHouse, key: str) -> AsyncIterator[httpx2.AsyncClient]:
        """A client of it."""
        async with house.client(key, app=self.app(house)) as client:
            yield client


@pytest.fixture
def traced() -> Iterator[Traced]:
    """Everything is sampled."""
    traced = Traced()
    yield traced
    traced.provider.shutdown()


async def test_that_a_request_is_one_span_of_the_callers_trace(
    house: AdminHouse, traced: Traced
) -> None:
    """Named by its route, with its id, and inside the span that the caller speaks of."""
    parent = f"00-{'ab' * 16}-{'cd' * 8}-01"
    async with traced.client(house, OWNER_KEY) as client:
        answer = await client.get("tenants/search", headers={"traceparent": parent})
    (span,) = traced.spans
    assert (span.name, span.kind) == ("GET /admin/v1/tenants/{name}", SpanKind.SERVER)
    assert span.context is not None
    assert span.parent is not None
    assert f"{span.context.trace_id:032x}" == "ab" * 16
    assert f"{span.parent.span_id:016x}" == "cd" * 8
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "/admin/v1/tenants/{name}",
        "network.protocol.version": "1.1",
        "spillgate.request_id": answer.headers["x-request-id"],
        "url.scheme": "http",
    }


async def test_that_no_span_holds_what_a_caller_wrote(house: AdminHouse, traced: Traced) -> None:
    """A secret in every place of a request, right and wrong ones, and in a fault's message."""
    house.owner_key = CANARY
    async with traced.client(house, CANARY) as client:
        for request in (
            client.build_request("GET", "me"),
            client.build_request("GET", "me", headers={"authorization": f"Bearer x{CANARY}"}),
            client.build_request("GET", f"tenants/{CANARY}"),
            client.build_request("GET", CANARY),
            client.build_request(CANARY, "me"),
            client.build_request("GET", "tenants", params={"api-key": CANARY, CANARY: "1"}),
            client.build_request("GET", "me", headers={"host": CANARY, "user-agent": CANARY}),
            client.build_request("GET", "me", headers={"cookie": CANARY, "api-key": CANARY}),
            client.build_request("POST", "tenants", json={"name": CANARY, CANARY: CANARY}),
            client.build_request("POST", "tenants", content=CANARY),
            client.build_request("GET", "http://admin/fault"),
        ):
            await client.send(request)
    assert len(traced.spans) == 11
    exported = "".join(each.to_json() for each in traced.spans)
    assert CANARY not in exported
    assert "/admin/v1/tenants/{name}" in exported, "the spans are those of the requests"


async def test_that_a_new_key_is_in_no_span(house: AdminHouse, traced: Traced) -> None:
    """What the API answers is not exported either."""
    async with traced.client(house, OWNER_KEY) as client:
        answer = await client.post("tenants/search/keys", json={})
    assert answer.status_code == 201
    assert answer.json()["data"]["key"] not in "".join(each.to_json() for each in traced.spans)


async def test_that_a_fault_is_told_by_its_class(house: AdminHouse, traced: Traced) -> None:
    """An error that is found by its type; a refusal is no error of ours."""
    async with traced.client(house, OWNER_KEY) as client:
        await client.get("http://admin/fault")
        await client.get("tenants/nobody")
    fault, refusal = traced.spans
    assert fault.attributes is not None
    assert fault.attributes["error.type"] == "ValueError"
    assert fault.status.status_code is StatusCode.ERROR
    assert refusal.status.status_code is StatusCode.UNSET


async def test_that_scrapes_and_probes_are_not_traced(house: AdminHouse, traced: Traced) -> None:
    """They come every few seconds, from each of several watchers."""
    async with traced.client(house, OWNER_KEY) as client:
        for path in ("healthz", "readyz", "metrics", "console/", "console/tenants/x"):
            await client.get(f"http://admin/{path}")
    assert traced.spans == ()


async def test_that_what_is_not_sampled_is_not_exported(house: AdminHouse) -> None:
    """The provider decides, as for the data plane."""
    traced = Traced(provider=TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False))
    async with traced.client(house, OWNER_KEY) as client:
        assert (await client.get("me")).status_code == 200
    traced.provider.shutdown()
    assert traced.spans == ()


async def test_that_the_environment_turns_no_tracing_on(
    house: AdminHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FastAPI would export what it knows, paths and queries too, to where the environment says."""
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    app = house.app()
    assert not app._native_telemetry.enabled()  # noqa: SLF001  # what FastAPI asks at each request
    assert not app._telemetry["auto_configure"]  # noqa: SLF001  # what it asks when it starts
    async with house.client(key_text(1), app=app) as client:
        assert (await client.get("me")).status_code == 200
