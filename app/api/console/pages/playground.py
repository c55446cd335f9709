"""A question to the real data plane, and what the gateway did with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import orjson
from pydantic import Field
from starlette.responses import Response, StreamingResponse

from app.api.admin.explain import ExplainQuery
from app.api.admin.keys import NewKey
from app.api.admin.lookup import tenant_of
from app.api.admin.roles import Action
from app.api.admin.shapes import Body
from app.api.console.asking import LONGEST_S, Done, Event, Failed, Head, Text, ask
from app.api.console.frame import Console
from app.api.console.visit import Visit
from app.errors import MalformedRequest, SpillgateError
from app.settings.section import Int

#: Set by the script of the page: the answer is then a line of JSON for each event.
STREAMED: Final = "x-console-stream"
#: A key that is made for one question lives no longer, whatever happens to this process.
_KEY_S: Final = 300.0
_KEY_NAME: Final = "console playground"
_EXPLAINED_S: Final = 3.0
_LOOK_S: Final = 0.1


class Question(Body):
    """What is asked."""

    model: str = Field(min_length=1, max_length=256)
    prompt: str = Field(min_length=1, max_length=100_000)
    max_tokens: Int = Field(200, ge=1, le=32_000)

    def body(self) -> dict[str, Any]:
        """As the data plane takes it."""
        return {
            "model": self.model,
            "max_tokens": self.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
            "messages": [{"role": "user", "content": self.prompt}],
        }


@dataclass(slots=True)
class Answered:
    """All that came of it, for a page without scripts."""

    head: Head | None = None
    text: str = ""
    failed: str = ""
    done: Done | None = None
    why: list[str] = field(default_factory=list)

    def take(self, event: Event) -> None:
        """Add one event."""
        match event:
            case Head():
                self.head = event
            case Text(text):
                self.text += text
            case Failed(message):
                self.failed = message
            case Done():
                self.done = event


def add_playground_pages(console: Console) -> None:
    """Register them."""

    @console.page("/playground", Action.SEE_SELF)
    async def playground(visit: Visit) -> Response:
        return visit.show("playground.html", title="Playground", **_choices(visit), result=None)

    @console.act("/playground", Action.SEE_SELF)
    async def put(visit: Visit) -> Response:
        form = visit.form
        given = {name: form[name] for name in ("model", "prompt", "max_tokens") if form[name]}
        question = visit.valid(Question, given)
        if form["key_from"] == "fresh":
            visit.caller.require(Action.WRITE_KEYS)
            tenant_of(visit.services.admin, visit.caller, form["tenant"])
        elif not form["key"]:
            raise MalformedRequest("Paste the key of a tenant.", param="key")
        if visit.request.headers.get(STREAMED):
            return StreamingResponse(_lines(visit, question), media_type="application/x-ndjson")
        answered = Answered()
        async for event in _asked(visit, question):
            answered.take(event)
        answered.why = await _why(visit, answered.head)
        return visit.show("playground.html", title="Playground", **_choices(visit), result=answered)


async def _lines(visit: Visit, question: Question) -> AsyncIterator[bytes]:
    head: Head | None = None
    try:
        async for event in _asked(visit, question):
            head = event if isinstance(event, Head) else head
            yield orjson.dumps({type(event).__name__.lower(): asdict(event)}) + b"\n"
        yield orjson.dumps({"why": await _why(visit, head)}) + b"\n"
    except SpillgateError as error:
        yield orjson.dumps({"failed": {"message": error.message}}) + b"\n"


async def _asked(visit: Visit, question: Question) -> AsyncIterator[Event]:
    async with _key(visit) as key:
        async for event in ask(visit.services.data_url(), key, question.body()):
            yield event


@asynccontextmanager
async def _key(visit: Visit) -> AsyncIterator[str]:
    """The one that was pasted, or one that is there for this question alone."""
    if visit.form["key_from"] != "fresh":
        yield visit.form["key"]
        return
    expires_at = visit.services.admin.clock.unix() + _KEY_S
    body = NewKey(name=_KEY_NAME, expires_at=expires_at)
    made = await visit.api("create_key", name=visit.form["tenant"], body=body)
    try:
        yield made.data.key
    finally:
        await asyncio.shield(visit.api("delete_key", key_id=made.data.id))


async def _why(visit: Visit, head: Head | None) -> list[str]:
    """The explanation's sentences: it is kept a moment after the answer's end."""
    request_id = head.headers.get("x-request-id") if head else None
    if not request_id or not visit.caller.may(Action.READ_EXPLANATIONS):
        return []
    tries = int(_EXPLAINED_S / _LOOK_S)
    for _ in range(tries):
        try:
            found = await visit.api("explain", request_id=request_id, asked=ExplainQuery())
        except SpillgateError:
            await asyncio.sleep(_LOOK_S)
        else:
            return list(found.data.why)
    return []


def _choices(visit: Visit) -> dict[str, Any]:
    models = visit.services.admin.models
    tenants = [name for name in visit.directory.tenants if visit.caller.sees(name)]
    form = visit.form
    return {
        "models": sorted(models()) if models is not None else [],
        "tenants": sorted(tenants)[:1000],
        "asked": {name: form.raw(name) for name in ("model", "prompt", "max_tokens", "tenant")},
        "longest_s": LONGEST_S,
    }
