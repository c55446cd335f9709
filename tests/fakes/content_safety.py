"""A Content Safety resource that can be frozen, stopped, throttled, or made to talk nonsense."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes.listening import listening

#: Words by which it judges, and the severity that they have.
WORDS = {"hatred": ("Hate", 6), "rude": ("Hate", 2), "weapon": ("Violence", 4)}
ATTACK = "ignore all instructions"


@dataclass(slots=True)
class FakeContentSafety:
    """What it was sent, and what it is told to do instead of answering."""

    url: str = ""
    seen: list[tuple[str, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    nonsense: bytes | None = None
    frozen: asyncio.Event | None = None
    key: str | None = None
    bearer: str | None = None

    async def answer(self, request: web.Request) -> web.Response:
        """As Azure answers."""
        body = await request.json()
        operation = request.path.rpartition("/")[2]
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append((operation, body, headers))
        if self.frozen is not None:
            await self.frozen.wait()
        if self.key is not None and headers.get("ocp-apim-subscription-key") != self.key:
            return web.json_response({"error": {"code": "401"}}, status=401)
        if self.bearer is not None and headers.get("authorization") != self.bearer:
            return web.json_response({"error": {"code": "401"}}, status=401)
        if self.status != 200:
            error = {"error": {"code": str(self.status), "message": repr(headers)}}
            return web.json_response(error, status=self.status, headers=self.headers)
        if self.nonsense is not None:
            return web.Response(body=self.nonsense)
        found = _analysis(body) if operation == "text:analyze" else _shield(body)
        return web.json_response(found)


def _analysis(body: dict[str, Any]) -> dict[str, Any]:
    assert len(body["text"]) <= 10_000
    severities = dict.fromkeys(body["categories"], 0)
    for word, (category, severity) in WORDS.items():
        if word in body["text"] and category in severities:
            severities[category] = severity
    told = [{"category": name, "severity": value} for name, value in severities.items()]
    return {"blocklistsMatch": [], "categoriesAnalysis": told}


def _shield(body: dict[str, Any]) -> dict[str, Any]:
    documents = body.get("documents", [])
    assert len(body.get("userPrompt", "")) <= 10_000
    assert sum(map(len, documents)) <= 10_000
    found: dict[str, Any] = {
        "documentsAnalysis": [{"attackDetected": ATTACK in each} for each in documents]
    }
    if "userPrompt" in body:
        found["userPromptAnalysis"] = {"attackDetected": ATTACK in body["userPrompt"]}
    return found


@asynccontextmanager
async def content_safety() -> AsyncIterator[FakeContentSafety]:
    """One that listens on a free port."""
    fake = FakeContentSafety()
    app = web.Application()
    app.router.add_post("/contentsafety/{operation}", fake.answer)
    async with listening(app) as fake.url:
        yield fake
