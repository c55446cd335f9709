"""A stand-in for the ingestion endpoint of Application Insights: it keeps what it is sent."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes.listening import listening


@dataclass(slots=True)
class Ingestion:
    """Envelopes as the service's own documentation names their parts."""

    url: str = ""
    envelopes: list[dict[str, Any]] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)

    @property
    def connection_string(self) -> str:
        """To be configured."""
        key = "00000000-0000-0000-0000-000000000001"
        return f"InstrumentationKey={key};IngestionEndpoint={self.url};LiveEndpoint={self.url}"

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Data of one kind, such as `RequestData`, each with its tags."""
        return [
            each["data"]["baseData"] | {"tags": each["tags"]}
            for each in self.envelopes
            if each["data"]["baseType"] == kind
        ]

    async def take(self, request: web.Request) -> web.Response:
        """Everything is accepted."""
        body = await request.read()
        if body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        sent = json.loads(body)
        self.paths.add(request.path)
        self.envelopes += sent
        said = {"itemsReceived": len(sent), "itemsAccepted": len(sent), "errors": []}
        return web.json_response(said)


@asynccontextmanager
async def ingestion() -> AsyncIterator[Ingestion]:
    """One on loopback."""
    found = Ingestion()
    application = web.Application(client_max_size=2**24)
    application.router.add_route("*", "/{path:.*}", found.take)
    async with listening(application) as found.url:
        yield found
