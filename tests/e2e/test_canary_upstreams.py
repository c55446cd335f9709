"""Upstreams that misbehave in every way, and repeat what they were sent, our credential included.

Each case is a deployment of its own behind a model of its own, so that none is held or ejected when
its turn comes; that it was reached is known from what the upstream heard, and from the receipt.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from app.adapters.logs.redaction import REDACTED
from tests.e2e.planted import CHAT, Planted, conversation, planted
from tests.e2e.scripted import Script, Scripted, blurting, scripted, self_signed
from tests.e2e.sinks import Canaries

RESPONSES: Final = "/v1/responses"
#: Such a case's key is one, as those of some servers are: it looks like many an id.
UUID: Final = "a UUID"
#: And such a case's is made of words, as no key of Azure's is.
WORDS: Final = "a key of words"
#: What the gateway makes of it: the status that its sender gets, how it ended, and by which error.
Becomes = tuple[int | None, str, str | None]


@dataclass(frozen=True, slots=True)
class Words:
    """What one upstream says: words of its own, our credential, and the caller's prompt."""

    said: str
    key: str
    prompt: str

    @property
    def all(self) -> str:
        return f"{self.said} {self.key} {self.prompt}"

    def error(self, **more: Any) -> bytes:
        """An error object that says all of it."""
        fields = {"message": self.all, "type": "server_error", "code": "odd", **more}
        return json.dumps({"error": fields}).encode()

    def chunk(self, **more: Any) -> bytes:
        """One event of a chat's stream."""
        choice = {"index": 0, "delta": {"content": self.said}, "finish_reason": None}
        fields = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice]}
        return b"data: " + json.dumps(fields | more).encode() + b"\n\n"

    def answer(self, **more: Any) -> bytes:
        """A whole chat completion."""
        message = {"role": "assistant", "content": self.said}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
        fields = {"id": "chatcmpl-1", "choices": [choice], "usage": usage}
        return json.dumps(fields | more).encode()

    @property
    def tool_call(self) -> dict[str, Any]:
        """A choice in which our key is the name of a tool, and of its call."""
        call = {"id": self.key, "function": {"name": self.key, "arguments": self.key}}
        return {"index": 0, "message": {"role": self.key, "tool_calls": [call]}}

    def response(self, **more: Any) -> bytes:
        """A whole answer of the Responses API, which is stored."""
        return json.dumps(self._response("completed", more)).encode()

    def begun(self, **more: Any) -> bytes:
        """The first event of its stream."""
        return self._event("response.created", self._response("in_progress", more))

    def ended(self, **more: Any) -> bytes:
        """The last one."""
        return self._event("response.completed", self._response("completed", more))

    def _response(self, status: str, more: dict[str, Any]) -> dict[str, Any]:
        usage = {"input_tokens": 9, "output_tokens": 3, "total_tokens": 12}
        text = {"type": "output_text", "text": self.said}
        item = {"type": "message", "id": "msg_1", "role": "assistant", "content": [text]}
        fields = {"id": "resp_1", "object": "response", "status": status, "output": [item]}
        return fields | {"usage": usage} | more

    def _event(self, kind: str, response: dict[str, Any]) -> bytes:
        said = json.dumps({"type": kind, "response": response})
        return f"event: {kind}\ndata: {said}\n\n".encode()


@dataclass(frozen=True, slots=True)
class Case:
    """An upstream's reply; `echoes`: its accepted answer holds our credential, as it may."""

    reply: Callable[[Words], bytes | tuple[bytes, ...]]
    becomes: Becomes
    stalls: bool = False
    echoes: bool = False
    path: str = CHAT


def head(status: str = "200 OK", *headers: str, type_: str = "application/json") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-type: {type_}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def whole(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    return head(status, *headers, f"content-length: {len(body)}") + body


def events(*parts: bytes) -> tuple[bytes, ...]:
    return (head(type_="text/event-stream"), *parts)


def chunked(*parts: bytes) -> bytes:
    return head("200 OK", "transfer-encoding: chunked") + b"".join(parts)


DONE: Final = b"data: [DONE]\n\n"
FAILED: Final = (502, "upstream_failed", "upstream_error")
BROKEN: Final = (502, "upstream_failed", "upstream_disconnected")
NO_HTTP: Final = (502, "upstream_failed", "upstream_protocol_error")
UNREACHABLE: Final = (502, "upstream_failed", "upstream_unreachable")
LATE: Final = (504, "upstream_failed", "upstream_timeout")
NOT_LET_IN: Final = (502, "upstream_failed", "upstream_auth_error")
FINE: Final = (200, "finished", None)
PASSED_ON: Final = (500, "finished", None)
SILENT: Final = (200, "upstream_aborted", "upstream_timeout")
FULL: Final = (429, "refused", "rate_limit_exceeded")
ABORTED: Final = (200, "upstream_aborted", "upstream_error")
ODD: Final = (200, "upstream_aborted", "odd")
REDACTED_CODE: Final = (200, "upstream_aborted", REDACTED)
CUT: Final = (200, "upstream_aborted", "upstream_disconnected")

REFUSALS: Mapping[str, Case] = {
    "400": Case(lambda it: whole(it.error(), "400 Bad Request"), (400, "finished", None)),
    "400 with names": Case(
        lambda it: whole(
            it.error(code=it.key, type=it.key, param=it.all),
            "400 Bad Request",
            f"x-request-id: {it.key}",
            f"x-ms-spillover-from-deployment: {it.key}",
            f"openai-model: {it.key}",
            f"content-type: {it.key}",
        ),
        (400, "finished", None),
    ),
    "401": Case(lambda it: whole(it.error(), "401 Unauthorized"), NOT_LET_IN),
    "403": Case(lambda it: whole(it.error(code="Forbidden"), "403 Forbidden"), NOT_LET_IN),
    "404": Case(lambda it: whole(it.error(code="DeploymentNotFound"), "404 No"), NOT_LET_IN),
    "408": Case(lambda it: whole(it.error(), "408 Request Timeout"), (408, "finished", None)),
    "422 without JSON": Case(lambda it: whole(it.all.encode(), "422 Odd"), (422, "finished", None)),
    "429": Case(lambda it: whole(it.error(), "429 Full", f"retry-after: {it.said}"), FULL),
    "500": Case(
        lambda it: whole(it.error(), "500 Oh", f"apim-key: {it.key}"), (500, "finished", None)
    ),
    "503 of a proxy": Case(lambda it: whole(f"<p>{it.all}</p>".encode(), "503 Oh"), FAILED),
    "redirect": Case(
        lambda it: whole(b"", "307 There", f"location: https://{it.key}.example/{it.said}"), FAILED
    ),
}
HEADS: Mapping[str, Case] = {
    "no HTTP": Case(lambda it: f"{it.all}\r\n\r\n".encode(), NO_HTTP),
    "no status": Case(lambda it: f"HTTP/1.1 {it.said} {it.key}\r\n\r\n".encode(), NO_HTTP),
    "status 999": Case(lambda it: whole(it.all.encode(), f"999 {it.said}"), NO_HTTP),
    "no colon": Case(lambda it: f"HTTP/1.1 200 OK\r\n{it.all}\r\n\r\n".encode(), NO_HTTP),
    "control characters": Case(lambda it: head("200 OK", f"x: {it.key}\0{it.said}"), NO_HTTP),
    "large head": Case(lambda it: head("200 OK", f"x: {it.all * 2000}"), NO_HTTP),
    "odd length": Case(lambda it: head("200 OK", f"content-length: {it.said}"), NO_HTTP),
    "odd coding": Case(
        lambda it: whole(it.answer(), "200 OK", f"content-encoding: {it.said}"), NO_HTTP
    ),
    "no gzip": Case(lambda it: whole(it.all.encode(), "200 OK", "content-encoding: gzip"), NO_HTTP),
    "HTTP/2": Case(lambda it: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + it.all.encode(), NO_HTTP),
    "cut in its head": Case(lambda it: head("200 OK", f"x-a: {it.all}")[:-9], BROKEN),
    "nothing at all": Case(lambda _: b"", BROKEN),
    "never a head": Case(lambda it: f"HTTP/1.1 200 {it.said}".encode(), LATE, stalls=True),
}
BODIES: Mapping[str, Case] = {
    "odd chunk": Case(lambda it: chunked(f"{it.all}\r\n".encode(), it.answer()), NO_HTTP),
    "cut chunk": Case(lambda it: chunked(b"ffff\r\n", it.answer()), BROKEN),
    "trailers": Case(
        lambda it: chunked(
            f"{len(it.answer()):x};x={it.said}\r\n".encode(),
            it.answer() + b"\r\n0\r\n",
            f"x-key: {it.key}\r\n\r\n".encode(),
        ),
        FINE,
    ),
    "cut body": Case(lambda it: head("200 OK", "content-length: 99999") + it.all.encode(), BROKEN),
    "slow body": Case(
        lambda it: head("200 OK", "content-length: 99999") + it.all.encode(), LATE, stalls=True
    ),
    "empty body": Case(lambda _: whole(b""), FINE),
    "no JSON": Case(lambda it: whole(it.all.encode()), FINE, echoes=True),
    "no text": Case(lambda it: whole(b"\xff\xfe" + it.said.encode()), FINE),
    "deep": Case(lambda it: whole(b"[" * 100_000 + it.said.encode()), FINE),
    "large": Case(lambda it: whole(it.said.encode() * 60_000), FINE),
    "odd usage": Case(lambda it: whole(it.answer(usage={"prompt_tokens": it.said})), FINE),
    "names in headers": Case(
        lambda it: whole(
            it.answer(),
            "200 OK",
            f"x-ms-region: {it.said}",
            f"azure-openai-ptu-utilization: {it.said}",
            f"x-ratelimit-remaining-tokens: {it.said}",
            f"set-cookie: {it.key}",
            f"server: {it.key}",
        ),
        FINE,
    ),
    "our key for a model": Case(
        lambda it: whole(it.answer(model=it.key, choices=[{"finish_reason": it.key}])),
        FINE,
        echoes=True,
    ),
    "our key for an id": Case(lambda it: whole(it.answer(id=it.key)), FINE, echoes=True),
    "our key for its request's id": Case(
        lambda it: whole(it.answer(), "200 OK", f"x-request-id: {it.key}"), FINE
    ),
    "our key for other names": Case(
        lambda it: whole(
            it.answer(system_fingerprint=it.said, service_tier=it.said),
            "200 OK",
            f"apim-request-id: {it.key}",
            f"x-ms-spillover-from-deployment: {it.key}",
            f"openai-model: {it.key}",
            f"openai-version: {it.said} {it.key}",
            f"openai-processing-ms: {it.key}",
        ),
        FINE,
    ),
    "our key for a tool": Case(
        lambda it: whole(it.answer(choices=[it.tool_call])), FINE, echoes=True
    ),
    "our key for a response": Case(
        lambda it: whole(it.response(id=it.key)), FINE, echoes=True, path=RESPONSES
    ),
    "our key for its items": Case(
        lambda it: whole(it.response(output=[{"type": it.key, "id": it.key}])),
        FINE,
        echoes=True,
        path=RESPONSES,
    ),
}
STREAMS: Mapping[str, Case] = {
    "error first": Case(lambda it: events(b"data: " + it.error() + b"\n\n"), ODD, echoes=True),
    "server's error first": Case(
        lambda it: events(b"data: " + it.error(code="server_error") + b"\n\n"), FAILED
    ),
    "throttled first": Case(
        lambda it: events(b"data: " + it.error(code="too_many_requests") + b"\n\n"), FULL
    ),
    "words for a code": Case(
        lambda it: events(b"data: " + it.error(code=it.all) + b"\n\n"), FAILED
    ),
    "our key for a code": Case(
        lambda it: events(b"data: " + it.error(code=it.key) + b"\n\n"), ABORTED, echoes=True
    ),
    "error later": Case(
        lambda it: events(it.chunk(), b"data: " + it.error() + b"\n\n"), ODD, echoes=True
    ),
    "our key for a later code": Case(
        lambda it: events(it.chunk(), b"data: " + it.error(code=it.key) + b"\n\n"),
        ABORTED,
        echoes=True,
    ),
    "cut": Case(lambda it: events(it.chunk(), f"data: {it.said}".encode()), CUT),
    "silent": Case(lambda it: events(it.chunk()), SILENT, stalls=True),
    "no JSON": Case(lambda it: events(f"data: {it.said}\n\n".encode(), DONE), FINE),
    "no content": Case(lambda it: events(f": {it.all}\n\n".encode()), BROKEN),
    "endless line": Case(lambda it: events(b"data: " + it.said.encode() * 60_000), NO_HTTP),
    "odd usage": Case(lambda it: events(it.chunk(), it.chunk(usage=it.said), DONE), FINE),
    "our key for a model": Case(lambda it: events(it.chunk(model=it.key), DONE), FINE, echoes=True),
    "our key for an id": Case(lambda it: events(it.chunk(id=it.key), DONE), FINE, echoes=True),
    "our key for its request's id": Case(
        lambda it: (
            head("200 OK", f"x-request-id: {it.key}", type_="text/event-stream"),
            it.chunk(),
            DONE,
        ),
        FINE,
    ),
    "our key for a response": Case(
        lambda it: events(it.begun(id=it.key), it.ended(id=it.key)),
        FINE,
        echoes=True,
        path=RESPONSES,
    ),
    f"{UUID} for a code": Case(
        lambda it: events(b"data: " + it.error(code=it.key) + b"\n\n"), ABORTED, echoes=True
    ),
    f"{UUID} for a later code": Case(
        lambda it: events(it.chunk(), b"data: " + it.error(code=it.key) + b"\n\n"),
        ABORTED,
        echoes=True,
    ),
    f"{WORDS} for a code": Case(
        lambda it: events(b"data: " + it.error(code=it.key) + b"\n\n"), REDACTED_CODE, echoes=True
    ),
    f"{WORDS} for a later code": Case(
        lambda it: events(it.chunk(), b"data: " + it.error(code=it.key) + b"\n\n"),
        REDACTED_CODE,
        echoes=True,
    ),
    f"{UUID} for an id": Case(lambda it: events(it.chunk(id=it.key), DONE), FINE, echoes=True),
}
CASES: Mapping[str, Case] = {
    **{f"refusal: {name}": case for name, case in REFUSALS.items()},
    **{f"head: {name}": case for name, case in HEADS.items()},
    **{f"body: {name}": case for name, case in BODIES.items()},
    **{f"stream: {name}": case for name, case in STREAMS.items()},
}
NAMES: Final = {name: f"case-{number}" for number, name in enumerate(CASES)}
NO_CONNECTION: Mapping[str, Becomes] = {
    "garbage instead of TLS": UNREACHABLE,
    "TLS of a stranger": UNREACHABLE,
    "TLS instead of HTTP": NO_HTTP,
    "shut": UNREACHABLE,
}


def words_of(name: str, canary: Canaries) -> Words:
    key, said = canary(f"deployment key: {_slug(name)}"), canary(f"{name}: said")
    return Words(said=said, key=key, prompt=canary(f"{name}: prompt"))


def _slug(name: str) -> str:
    return NAMES.get(name) or f"case-{len(NAMES) + [*NO_CONNECTION].index(name)}"


def one_each(suffix: str, canary: Canaries) -> dict[str, Any]:
    """A deployment and a model for each case."""
    for name in CASES:
        if UUID in name:
            canary.give(f"deployment key: {_slug(name)}", str(uuid4()))
        if WORDS in name:
            word = uuid4().hex.translate(str.maketrans("0123456789", "ghijklmnop"))
            canary.give(f"deployment key: {_slug(name)}", f"horse_{word[:12]}_{word[12:24]}")
    slugs = [_slug(name) for name in (*CASES, *NO_CONNECTION)]
    azure = {"endpoint": "https://x.openai.azure.com", "kind": "paygo", "model": "gpt-4o"}
    azure |= {"tpm": 100_000_000, "deployment": "gpt-4o"}  # type: ignore[dict-item]  # a mapping of mixed values
    return {
        "deployments": {f"{slug}-{suffix}": dict(azure) for slug in slugs},
        "models": {slug: {"tiers": [[f"{slug}-{suffix}"]]} for slug in slugs},
        "timeouts": {"first_byte_s": 0.5, "idle_s": 0.5, "total_s": 1.5},
    }


@asynccontextmanager
async def misbehaving(it: Planted, folder: Path) -> AsyncIterator[dict[str, Scripted]]:
    """Every deployment of `it` behaves as its case says; who was asked, by case."""
    scripts = {}
    for name, case in CASES.items():
        reply = case.reply(words_of(name, it.canary))
        parts = (reply,) if isinstance(reply, bytes) else reply
        scripts[NAMES[name]] = Script(parts, case.stalls)
    garbage = f"{it.canary('garbage instead of TLS: said')}\r\n".encode() * 9
    alert = b"\x15\x03\x03\x00\x02\x02\x28" + it.canary("TLS instead of HTTP: said").encode()
    tls = self_signed(it.canary("TLS of a stranger: said"), folder)
    async with (
        scripted(scripts) as upstream,
        blurting(garbage) as no_tls,
        blurting(b"", tls) as stranger,
        blurting(alert) as no_http,
    ):
        places = {name: (f"{upstream.url}/{NAMES[name]}", upstream) for name in CASES}
        places |= {
            "garbage instead of TLS": (f"https://{no_tls.url}", no_tls),
            "TLS of a stranger": (f"https://{stranger.url}", stranger),
            "TLS instead of HTTP": (f"http://{no_http.url}", no_http),
            "shut": ("http://127.0.0.1:9", Scripted()),
        }
        settings = it.team.process.current.settings
        moved = {it.team.name(_slug(name)): url for name, (url, _) in places.items()}
        deployments = {
            name: each.model_copy(update={"endpoint": moved[name]})
            for name, each in settings.deployments.items()
        }
        await it.team.process.reload(settings.model_copy(update={"deployments": deployments}))
        yield {name: upstream for name, (_, upstream) in places.items()}


async def ask(it: Planted, name: str) -> Becomes:
    """One request of a case; what became of it."""
    case = CASES.get(name)
    body = conversation(it.canary, name, stream=name.startswith("stream"))
    echoes = {f"deployment key: {_slug(name)}"} if case is not None and case.echoes else ()
    if case is not None and case.path == RESPONSES:
        body = {"input": it.canary(f"{name}: prompt"), "stream": body["stream"], "store": True}
    path = CHAT if case is None else case.path
    receipt = await it.ask(path, body | {"model": _slug(name)}, echoes=echoes)
    return receipt.status, receipt.outcome.value, receipt.error


async def test_upstreams_that_misbehave_are_quoted_nowhere(
    empty_redis_url: str, tmp_path: Path
) -> None:
    """Malformed heads, broken chunks, absurd bodies, refusals and streams; each one got there."""
    async with planted(empty_redis_url, one_each) as it, misbehaving(it, tmp_path) as asked:
        became = {name: await ask(it, name) for name in (*CASES, *NO_CONNECTION)}
        assert became == {
            **{name: each.becomes for name, each in CASES.items()},
            **NO_CONNECTION,
        }
        for name in CASES:
            words = words_of(name, it.canary)
            assert words.key in asked[name].heads[NAMES[name]], name
            assert words.prompt.encode() in asked[name].bodies[NAMES[name]], name
        for name in ("garbage instead of TLS", "TLS instead of HTTP"):
            assert asked[name].connections > 0, name
        await it.everything_is_written()
        assert await it.found() == {}
