"""An OTLP receiver of log records that can be frozen, or answer as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

from tests.fakes.listening import listening

Attributes = dict[str, Any]


@dataclass(slots=True)
class LogReceiver:
    """`records` are the attributes of those that it took; `statuses` are answered first."""

    url: str = ""
    records: list[Attributes] = field(default_factory=list)
    resources: list[Attributes] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    largest: int = 1 << 30  # rows of a request that it takes
    rejects: int = 0
    thawed: asyncio.Event = field(default_factory=asyncio.Event)
    at_once: int = 0

    def __post_init__(self) -> None:
        self.thawed.set()

    @property
    def ids(self) -> list[str]:
        """Of the rows that it took."""
        return [str(each["spillgate.ledger.id"]) for each in self.records]

    async def take(self, request: web.Request) -> web.Response:
        """One request."""
        self.at_once += 1
        try:
            await self.thawed.wait()
            data = await request.read()  # aiohttp has decompressed it
        finally:
            self.at_once -= 1
        sent = ExportLogsServiceRequest.FromString(data)
        found = [r for logs in sent.resource_logs for s in logs.scope_logs for r in s.log_records]
        self.sizes.append(len(found))
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        if self.statuses:
            return web.Response(status=self.statuses.pop(0), headers={"retry-after": "0"})
        if len(found) > self.largest:
            return web.Response(status=413)
        self.resources += [attributes(logs.resource.attributes) for logs in sent.resource_logs]
        self.records += [attributes(each.attributes) for each in found]
        self.bodies += [each.body.string_value for each in found]
        refused = ExportLogsPartialSuccess(rejected_log_records=self.rejects)
        answer = ExportLogsServiceResponse(partial_success=refused)
        return web.Response(body=answer.SerializeToString())


def attributes(pairs: Any) -> Attributes:
    """As a mapping."""
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return tuple(_value(each) for each in value.array_value.values)
    return getattr(value, kind)


@asynccontextmanager
async def log_receiver() -> AsyncIterator[LogReceiver]:
    """It listens for as long as the scope is open."""
    receiver = LogReceiver()
    app = web.Application(client_max_size=1 << 26)
    app.router.add_post("/v1/logs", receiver.take)
    async with listening(app) as url:
        receiver.url = f"{url}/v1/logs"
        yield receiver
        receiver.thawed.set()
