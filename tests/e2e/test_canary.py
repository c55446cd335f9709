"""A value planted in every place is in no sink but those that are written down here.

What callers send, and what the gateway itself keeps secret, goes through every path that tests
reach: served, refused, broken off, failed inside. Then all that the gateway wrote is searched: its
log at debug level, /metrics, traces, explanations, the admin API with ledger and audit log, files
of the archive, every key of Redis, and what other tenants are answered.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest
import structlog

from app.adapters.logs import configure_logs
from app.bootstrap.config_file import ConfigFile
from app.cli.commands import Addresses
from app.cli.key import new_key
from app.settings import Settings
from tests.e2e.canned import canned, lead_to, pieces, whole
from tests.e2e.raw import chat, exchange, request
from tests.e2e.sinks import OWNER, Canaries, Sinks, redis_user
from tests.e2e.stack import Stack, eventually, ptu_and_paygo, stack
from tests.fakes.trace_receiver import trace_receiver

#: Where a value may be all the same, and why.
ALLOWED: Final = {
    # Callers' own ids and tags are there to be found again.
    "tag": {"redis", "archive", "admin API"},
    "request id": {"log", "traces", "redis", "archive", "admin API", "explanations"},
    # What an administrator calls things is what they are called.
    "tenant tag": {"redis", "archive", "admin API"},
}


@dataclass(slots=True)
class Planted:
    """A stack, what is planted, and where it is looked for."""

    team: Stack
    canary: Canaries
    sinks: Sinks

    @property
    def key(self) -> dict[str, str]:
        """The tenant's own."""
        return {"api-key": self.team.key}

    async def send(self, path: str, body: object = None, **headers: str) -> str:
        """A request with a canary in each header that a client may send; the answer to its sender.

        What is the gateway's own secret is not in that either.
        """
        given = {
            "user-agent": self.canary("user-agent"),
            "cookie": f"session={self.canary('cookie')}",
            "referer": f"https://x.example/{self.canary('referer')}",
            "x-forwarded-for": self.canary("x-forwarded-for"),
            "idempotency-key": self.canary("idempotency-key"),
            "openai-organization": self.canary("organization"),
            "baggage": f"user={self.canary('baggage')}",
            f"x-{self.canary('header name')}": self.canary("header value"),
            **headers,
        }
        url = f"{self.team.process.data_url}{path}"
        sent = {"json": body} if not isinstance(body, bytes) else {"data": body}
        async with self.team.http.post(url, headers=given, **sent) as answer:
            text = f"{answer.headers}\n"
            with suppress(Exception):  # some break off
                async for part in answer.content.iter_any():
                    text += part.decode("latin-1")
        assert self.canary.found_in(text).isdisjoint(OURS), text
        return text

    async def found(self) -> dict[str, set[str]]:
        """Sinks by the places whose canary is in them, without those that are allowed."""
        found = {
            name: self.canary.found_in(text) for name, text in (await self.sinks.texts()).items()
        }
        return {
            name: wrong
            for name, places in found.items()
            if (wrong := {place for place in places if name not in ALLOWED.get(place, ())})
        }


#: What the gateway is told and nobody else.
OURS: Final = frozenset(
    {
        "deployment key",
        "redis password",
        "webhook",
        "trace header",
        "owner key",
        "pepper",
        "new key",
    }
)


@asynccontextmanager
async def planted(redis_url: str, **sections: Any) -> AsyncIterator[Planted]:
    """A gateway that has a canary for each of its own secrets, logs everything, and is traced."""
    canary, log = Canaries(), io.StringIO()
    async with (
        trace_receiver() as receiver,
        redis_user(redis_url, canary("redis password")) as own_url,
    ):

        def config(suffix: str) -> dict[str, Any]:
            config = (
                ptu_and_paygo(suffix)
                | {
                    "redis": {"url": own_url, "operation_timeout_ms": 5000},
                    "budgets": {
                        "webhook": f"http://127.0.0.1:9/{canary('webhook')}",
                        "alert_at": [1e-6],
                    },
                    "keys": {"pepper": canary("pepper")},
                    "logs": {"level": "debug"},
                    "tracing": {
                        "endpoint": receiver.url,
                        "sample": 1,
                        "headers": {"authorization": f"Bearer {canary('trace header')}"},
                        "export": {"delay_s": 0.05, "close_s": 10},
                    },
                    "tenant": {"limits": {"usd_per_day": 10, "rpm": 1000}},
                    "tenants": {
                        f"rival-{suffix}": {"keys": [RIVAL]},
                    },
                }
                | sections
            )
            for each in config["deployments"].values():
                each["auth"] = {"api_key": canary("deployment key")}
            return config

        with configure_logs("debug", log) as logs:
            async with stack(redis_url, config, logs=logs) as team:
                yield Planted(team, canary, Sinks(team, log, receiver, redis_url))


RIVAL: Final = new_key("test")


def conversation(canary: Canaries, place: str, **more: Any) -> dict[str, Any]:
    """A chat with a canary wherever text may stand."""
    call = {"name": "find", "arguments": f'{{"q": "{canary(f"{place}: tool arguments")}"}}'}
    tool = {
        "name": "find",
        "description": canary(f"{place}: tool"),
        "parameters": {"type": "object"},
    }
    return {
        "model": "gpt-4o",
        "max_tokens": 5,
        "user": canary(f"{place}: user"),
        "safety_identifier": canary(f"{place}: safety_identifier"),
        "prompt_cache_key": canary(f"{place}: prompt_cache_key"),
        "metadata": {"a": canary(f"{place}: metadata")},
        "messages": [
            {"role": "system", "content": canary(f"{place}: system")},
            {"role": "user", "content": [{"type": "text", "text": canary(f"{place}: prompt")}]},
            {
                "role": "assistant",
                "tool_calls": [{"id": "c1", "type": "function", "function": call}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": canary(f"{place}: tool result")},
            {"role": "user", "name": "ann", "content": canary(f"{place}: last")},
        ],
        "tools": [{"type": "function", "function": tool}],
        **more,
    }


CHAT: Final = "/v1/chat/completions"


async def served(it: Planted, path: str, body: object, **headers: str) -> None:
    """A request of the tenant's, which is answered."""
    answer = await it.send(path, body, **it.key, **headers)
    assert "x-spillgate-cache" in answer.lower(), answer


async def serve_all(it: Planted) -> None:
    """Every operation that tenants have, whole and as a stream."""
    canary = it.canary
    tags = {"x-spillgate-tags": f"team={canary('tag')}", "x-request-id": canary("request id")}
    trace = f"00-{'ab' * 16}-{'cd' * 8}-01"
    state = {"traceparent": trace, "tracestate": f"x={canary('tracestate')}"}
    await served(it, CHAT, conversation(canary, "chat"), **tags)
    await served(it, CHAT, conversation(canary, "stream", stream=True), **state)
    query = f"?api-version=2024-10-21&x={canary('query')}"
    path = f"/openai/deployments/gpt-4o/chat/completions{query}"
    await served(it, path, conversation(canary, "azure"))
    stored = {"input": canary("responses input"), "instructions": canary("instructions")}
    await served(it, "/v1/responses", {"model": "gpt-4o", "store": True, **stored})
    await served(it, "/v1/completions", {"model": "gpt-4o", "prompt": canary("completion")})
    await served(it, "/v1/embeddings", {"model": "gpt-4o", "input": canary("embedding")})


async def refuse_all(it: Planted) -> None:
    """What is no request, nobody's, or asks for what is not there."""
    canary, key, team = it.canary, it.key, it.team
    wrong = new_key("test")
    it.canary.planted["wrong key"] = wrong
    it.canary.planted["right key"] = team.key
    it.canary.planted["owner key"] = OWNER["authorization"].removeprefix("Bearer ")
    for name, given in {
        "api-key": canary("api-key"),
        "authorization": f"Bearer {canary('bearer')}",
        "Authorization": f"Basic {canary('basic')}",
    }.items():
        await it.send(CHAT, conversation(canary, "stranger"), **{name: given})
    await it.send(CHAT, conversation(canary, "stranger"), **{"api-key": wrong})
    both = {"authorization": f"Bearer {canary('second key')}spg_"}
    await it.send(CHAT, conversation(canary, "stranger"), **key, **both)
    await it.send(f"/v1/{canary('path')}/{wrong}", {}, **key)
    await it.send(f"/v1/responses/{canary('response id')}/cancel", {}, **key)
    previous = {"input": "x", "previous_response_id": f"resp_{canary('previous response')}"}
    await it.send("/v1/responses", {"model": "gpt-4o", **previous}, **key)
    await it.send(f"/openai/deployments/{canary('deployment')}/chat/completions", {}, **key)
    await it.send(CHAT, conversation(canary, "unknown") | {"model": canary("model")}, **key)
    await it.send(CHAT, conversation(canary, "key as model") | {"model": team.key}, **key)
    await it.send(CHAT, f'{{"model": "gpt-4o", "{canary("malformed")}'.encode(), **key)
    await it.send(CHAT, b"\xff" + canary("no text").encode(), **key)
    await it.send(CHAT, f'["{canary("no object")}"]'.encode(), **key)
    await it.send(CHAT, b"[" * 500 + canary("deep").encode(), **key)
    odd = {"max_tokens": canary("no number"), "stream": canary("no boolean"), canary("name"): 1}
    await it.send(CHAT, conversation(canary, "odd", **odd), **key)
    await it.send(CHAT, {"model": "gpt-4o", "messages": canary("no messages")}, **key)
    await it.send(CHAT, b"x", **key, **{"content-encoding": canary("encoding")})
    await it.send(CHAT, {}, **key, **{"x-spillgate-tags": f"{canary('bad tag')}"})
    await it.send(CHAT, {}, **key, **{"x-spillgate-cache": canary("directive")})
    for payload in (
        f"{canary('method')} /v1 HTTP/1.1\r\nhost: x\r\n\r\n".encode(),
        f"{canary('no http')}\r\n\r\n".encode(),
        request(chat(), headers=(("content-length", canary("length")),)),
        request(chat(), headers=((f"bad {canary('bad header')}", "x"),)),
        request(chat(), headers=(("host", canary("second host")),)),
        request(chat(), headers=(("x", canary("large header") * 4000),)),
    ):
        await exchange(team, payload)


async def fail_all(it: Planted) -> None:
    """Upstreams that refuse, break off, or repeat what they were sent, our credential included."""
    canary, key, team = it.canary, it.key, it.team
    for fault in (
        {"status": 500},
        {"cut_after_chunks": 1},
        {"usage": "missing"},
        {"in_stream_429": True},
        {"status": 429, "headers": {"retry-after-ms": "1"}},
    ):
        await team.fault("ptu", **fault, times=1)
        body = conversation(canary, f"fault {next(iter(fault))}", stream=True)
        await it.send(CHAT, body, **key)
    ours, said = canary("deployment key"), canary("what an upstream said")
    error = f'{{"error": {{"message": "{said}: {ours}", "code": "{ours}", "type": "{ours}"}}}}'
    for script in (
        whole(error.encode(), status="400 Bad Request", headers=f"x-ms-echo: {ours}\r\n"),
        whole(error.encode(), status="401 Unauthorized"),
        whole(error.encode(), status="404 Not Found"),
        whole(error.encode(), status="500 Internal Server Error", headers=f"apim-key: {ours}\r\n"),
        whole(error.encode(), status="429 Too Many Requests"),
        whole(f"no JSON {ours}".encode(), status="422 Odd"),
        pieces(f'data: {{"error": {{"message": "{said}", "code": "{said}"}}}}\n\n'.encode()),
        pieces(f"{said}\n\n".encode()),
    ):
        async with canned(script) as upstream:
            for deployment in ("ptu", "paygo-a", "paygo-b"):
                await lead_to(team, deployment, upstream.url)
            for _ in range(3):  # each of them once, before it is held
                await it.send(CHAT, conversation(canary, "echo"), **key)


class Failing:
    """A stage or adapter that raises whatever it is used for."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        raise self._error


async def break_all(it: Planted) -> None:
    """Exceptions in every stage, whose words are what a caller or the gateway holds."""
    canary, team = it.canary, it.team
    before = team.process.current
    words = f"{canary('exception')} {canary('deployment key')} {team.key}"
    undecodable = UnicodeDecodeError("utf-8", words.encode(), 0, 1, words)
    errors = (
        RuntimeError(words),
        KeyError(words),
        undecodable,
        ExceptionGroup(words, [OSError(words)]),
    )
    stages = (
        "authentication",
        "ownership",
        "routing",
        "admission",
        "caching",
        "upstreams",
        "relay",
    )
    for stage in stages:
        for error in errors:
            caused = RuntimeError(words)
            caused.__cause__, caused.__notes__ = error, [words]
            broken: Any = {stage: Failing(caused)}
            team.process.current = replace(before, gateway=replace(before.gateway, **broken))
            answer = await it.send(CHAT, conversation(canary, "broken"), **it.key)
            assert "The gateway failed on this request" in answer, stage
    team.process.current = before


async def break_adapters(it: Planted) -> None:
    """Exceptions in what stages and the admin API work with; the latter's framework logs them."""
    canary, team = it.canary, it.team
    words = f"{canary('exception')} {canary('deployment key')} {team.key}"

    def fail(*_: object, **__: object) -> Any:
        raise LookupError(words) from ValueError(words)

    resources = team.process.resources
    for adapter, method in (
        (resources.keys, "find"),
        (resources.accounts, "reserve"),
        (resources.accounts, "settle"),
        (resources.transport, "send"),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(adapter), method, fail)
            await it.send(CHAT, conversation(canary, "broken"), **it.key)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(resources.directory), "change", fail)
        url = f"{team.process.admin_url}/admin/v1/tenants/team-{team.suffix}"
        body = {"tags": {"a": canary("admin value")}}
        async with team.http.patch(url, json=body, headers=OWNER) as answer:
            assert answer.status == 500
            assert it.canary.found_in(await answer.text()) == set()


def blurt_out(it: Planted) -> None:
    """What a library, or a line that is added later, might say: each secret, as it is."""
    canary = it.canary
    for secret in (*(canary(place) for place in sorted(OURS)), it.team.key, RIVAL):
        logging.getLogger("aiohttp.client").warning("sent %s", {"headers": secret})
        structlog.get_logger().debug("sent", url=f"https://x/{secret}?a=b", nested=[{secret: 1}])


async def administrate(it: Planted) -> None:
    """The admin API with wrong keys, wrong bodies, and what is allowed to be there."""
    canary, team = it.canary, it.team
    tenant = f"tenants/team-{team.suffix}"
    wrong = {"authorization": f"Bearer {canary('admin key')}"}
    for method, path, body, headers in (
        ("GET", "tenants", None, wrong),
        ("GET", f"{canary('admin path')}", None, OWNER),
        ("GET", f"tenants/{canary('no tenant')}", None, OWNER),
        ("GET", f"ledger?{canary('admin query')}=1", None, OWNER),
        ("GET", f"explain/{canary('no request')}", None, OWNER),
        ("POST", "tenants", {"name": f"bad name {canary('bad name')}"}, OWNER),
        ("POST", "tenants", {canary("admin field"): canary("admin value")}, OWNER),
        ("PUT", "logs", {"level": canary("level")}, OWNER),
        ("PATCH", tenant, {"tags": {"a": canary("tenant tag")}}, OWNER),
        ("PATCH", tenant, {}, OWNER | {"if-match": canary("if-match")}),
    ):
        url = f"{team.process.admin_url}/admin/v1/{path}"
        async with team.http.request(method, url, json=body, headers=headers) as answer:
            assert it.canary.found_in(await answer.text()).isdisjoint(OURS)
    url = f"{team.process.admin_url}/admin/v1/tenants"
    async with team.http.post(url, data=canary("admin body"), headers=OWNER) as answer:
        assert answer.status == 400
    async with team.http.post(f"{url}/team-{team.suffix}/keys", json={}, headers=OWNER) as answer:
        assert answer.status == 201, await answer.text()
        canary.planted["new key"] = (await answer.json())["data"]["key"]
    await it.send(CHAT, conversation(canary, "new key"), **{"api-key": canary("new key")})


async def reload_badly(it: Planted, folder: Path) -> None:
    """Configurations that cannot be put in force, with secrets in right and wrong places."""
    secret = it.canary("config secret")
    file = folder / "spillgate.yaml"
    for text in (
        f"admin: {{key: {secret}}}\nbudgets: {{webhook: 'ftp://{secret}'}}\n",
        f"redis: {{url: 'http://:{secret}@x'}}\nkeys: {{peper: {secret}}}\n",
        f"deployments: {{x: {{auth: {{api_key: [{secret}]}}}}}}\n{secret}",
        f"{secret}: [\n",
    ):
        file.write_text(text, "utf-8")
        await ConfigFile(file, Addresses()).reload(it.team.process)
    settings: Settings = it.team.process.current.settings
    with pytest.raises(TypeError):
        await it.team.process.reload(settings.model_copy(update={"deployments": None}))


async def test_what_is_planted_is_in_no_sink(redis_url: str, tmp_path: Path) -> None:
    """But for ids and tags, which callers and administrators have given for being written down."""
    async with planted(redis_url) as it:
        await serve_all(it)
        await administrate(it)
        await refuse_all(it)
        await reload_badly(it, tmp_path)
        await break_all(it)
        await break_adapters(it)
        blurt_out(it)
        await fail_all(it)
        for path in ("/v1/models", "/v1/spillgate/me", "/v1/models/gpt-4o"):
            it.sinks.answers.append(await it.sinks.get(path, **{"api-key": RIVAL}))
        await everything_is_written(it)

        assert len(it.canary.planted) > 100
        assert await it.found() == {}
        assert it.canary.found_in(it.sinks.log.getvalue()) == {"request id"}, "the search finds"
        assert "tag" in it.canary.found_in((await it.sinks.texts())["archive"])


async def everything_is_written(it: Planted) -> None:
    """The last request's line, span and row: they come a moment after its answer."""
    log, last = it.sinks.log, f"last-{it.team.suffix}"
    await it.send("/v1/nothing", {}, **it.key, **{"x-request-id": last})
    await eventually(lambda: last in log.getvalue())
    await eventually(lambda: any(last in repr(each) for each in it.sinks.traces.spans))
    await eventually(lambda: "budget_alert_not_delivered" in log.getvalue())
    async with asyncio.timeout(60):
        while it.canary("tag") not in (await it.sinks.texts())["archive"]:
            await asyncio.sleep(0.05)


async def test_what_the_cache_keeps_is_in_the_cache_alone(redis_url: str) -> None:
    """There a prompt is, for as long as its answer is kept; it is shown to who may list answers."""
    async with planted(redis_url, cache={"exact": {"enabled": True}}) as it:
        said = [{"role": "user", "content": it.canary("kept: prompt")}]
        asked = {"model": "gpt-4o", "max_tokens": 5, "temperature": 0, "messages": said}
        for _ in range(2):
            await served(it, CHAT, asked)
        await it.send(CHAT, asked, **{"api-key": RIVAL}, **{"x-request-id": "asked-by-another"})
        listed = await it.sinks.admin_text(f"cache/team-{it.team.suffix}/answers")
        assert it.canary.found_in(listed) == {"kept: prompt"}
        await it.send(CHAT, asked, **it.key, **{"x-spillgate-tags": f"team={it.canary('tag')}"})
        await everything_is_written(it)

        assert await it.found() == {"redis": {"kept: prompt"}}
        lines = (await it.sinks.texts())["redis"].splitlines()
        holding = [line for line in lines if "kept: prompt" in it.canary.found_in(line)]
        assert all(line.startswith("b'spillgate:answers:") for line in holding), holding
