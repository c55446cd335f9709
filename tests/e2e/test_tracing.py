"""Traces of a whole gateway, as a receiver gets them."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.adapters.embedder.local import DEFAULT, missing
from tests.e2e.stack import Stack, eventually, ptu_and_paygo, stack
from tests.fakes.trace_receiver import Received, TraceReceiver, trace_receiver

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"
QUESTION = "How do I reset my secret password?"


@asynccontextmanager
async def traced(
    redis_url: str, more: Mapping[str, Any] | None = None, **tracing: Any
) -> AsyncIterator[tuple[Stack, TraceReceiver]]:
    """A gateway and who gets its traces: all of them, unless told otherwise."""
    async with trace_receiver() as receiver:
        section = {
            "endpoint": receiver.url,
            "sample": 1,
            "caller_sample": 1,
            "export": {"delay_s": 0.05, "close_s": 10} | tracing.pop("export", {}),
        }

        def config(suffix: str) -> dict[str, Any]:
            return ptu_and_paygo(suffix) | {"tracing": section | tracing} | dict(more or {})

        async with stack(redis_url, config) as team:
            yield team, receiver


async def ask(team: Stack, *, stream: bool = False, **headers: str) -> str:
    """One chat, read to its end; the request's id."""
    body = {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": QUESTION}],
        "stream": stream,
    }
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    async with team.http.post(
        f"{team.base_url}/chat/completions",
        json=body | {"max_tokens": 20},
        headers={"api-key": team.key, **headers},
    ) as answer:
        await answer.read()
        return answer.headers["x-request-id"]


def below(spans: list[Received], parent_id: str) -> list[Received]:
    found = [each for each in spans if each.parent_id == parent_id]
    return sorted(found, key=lambda each: each.begins)


def nested(spans: list[Received]) -> None:
    """Every span but the first lies within its parent, which is there."""
    by_id = {each.span_id: each for each in spans}
    assert len(by_id) == len(spans)
    for each in spans:
        if each.parent_id in by_id:
            parent = by_id[each.parent_id]
            assert parent.begins <= each.begins <= each.ends <= parent.ends
    assert [each.parent_id in by_id for each in spans].count(False) == 1


async def test_a_spilled_stream_is_one_trace_from_the_client_to_the_upstream(
    redis_url: str,
) -> None:
    """Complete, nested, with tokens and cost; each upstream was called by its attempt's span."""
    async with traced(redis_url) as (team, receiver):
        await team.fault("ptu", status=429, headers={"retry-after-ms": "900"})
        request_id = await ask(
            team, stream=True, traceparent=TRACEPARENT, tracestate="acme=1", baggage="user=jane"
        )
        receipt = await team.receipt(request_id)
        spans = await receiver.trace(TRACE)
        rows = await team.served()

    nested(spans)
    (request,) = below(spans, CALLER)
    assert (request.name, request.kind, request.state) == ("chat gpt-4o", "server", "acme=1")
    assert receipt.usage is not None
    assert (
        request.attributes.items()
        >= {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "azure.ai.openai",
            "gen_ai.usage.input_tokens": receipt.usage.input,
            "gen_ai.usage.output_tokens": receipt.usage.output,
            "spillgate.cost.usd": receipt.nano_usd / 1e9,
            "spillgate.spill": "throttled",
            "spillgate.request_id": request_id,
            "spillgate.tenant": f"team-{team.suffix}",
        }.items()
    )
    assert str(request.attributes["gen_ai.response.model"]).startswith("gpt-4o")
    assert str(request.attributes["gen_ai.response.id"]).startswith("chatcmpl")
    assert request.attributes["gen_ai.response.finish_reasons"] in (["stop"], ["length"])
    assert receipt.usage.output > 0 < receipt.nano_usd
    assert receipt.trace_id == TRACE
    children = below(spans, request.span_id)
    assert [each.name for each in children][:5] == [
        "authenticate", "read", "admit", "cache", "route",
    ]  # fmt: skip
    refused, served = [each for each in children if each.kind == "client"]
    assert (refused.failed, served.failed) == (True, False)
    assert refused.attributes["spillgate.throttle"] == "provisioned"
    assert [each.name for each in below(spans, served.span_id)] == ["relay"]
    assert request.events == ("first_token",)
    assert [row["traceparent"] for row in rows] == [
        f"00-{TRACE}-{each.span_id}-01" for each in (refused, served)
    ]
    assert {row["tracestate"] for row in rows} == {"acme=1"}
    assert {row["baggage"] for row in rows} == {""}
    assert request.service["service.name"] == "spillgate"


async def test_no_word_of_prompt_or_answer_and_no_key_is_sent(redis_url: str) -> None:
    """Not by default, whatever happened to the request."""
    async with traced(redis_url) as (team, receiver):
        await ask(team)
        await ask(team, stream=True)
        await team.fault("ptu", status=500)
        await ask(team)
        wrong = await ask(team, api_key="spg_test_wrong-key-of-somebody")
        await team.receipt(wrong)
        await receiver.until(lambda: len(requests(receiver)) == 4)
        told = repr(receiver.spans)
    assert QUESTION not in told
    assert team.key not in told
    assert "wrong-key" not in told
    assert all("messages" not in name for each in receiver.spans for name in each.attributes)


def requests(receiver: TraceReceiver) -> list[Received]:
    return [each for each in receiver.spans if each.kind == "server"]


async def test_of_many_requests_those_worth_a_look_are_traced(redis_url: str) -> None:
    """A spilled one, a failed one and a slow one, though nothing is sampled."""
    always = {"slow_s": 1.0}
    async with traced(redis_url, sample=0, always=always) as (team, receiver):
        for _ in range(5):
            await ask(team)
        await team.fault("ptu", status=429, headers={"retry-after-ms": "100"})
        spilled = await ask(team)
        await eventually(lambda: not team.process.resources.holds.holds())
        await team.fault("ptu", delay_ms=1500)
        slow = await ask(team)
        await team.fault("ptu", status=500, times=5)
        await team.fault("paygo-a", status=500, times=5)
        await team.fault("paygo-b", status=500, times=5)
        failed = await ask(team)
        await receiver.until(lambda: len(requests(receiver)) >= 3)
        ordinary = await team.receipt(await ask(team, x_request_id="ordinary"))
    found = {each.attributes["spillgate.request_id"] for each in requests(receiver)}
    assert {spilled, slow, failed} <= found
    assert ordinary.trace_id is None or "ordinary" in found


async def test_nothing_is_traced_that_nobody_chose(redis_url: str) -> None:
    """And what the caller has in its own trace goes on to the upstream."""
    always = {"errors": False, "spills": False, "slow_s": 0}
    async with traced(redis_url, sample=0, caller_sample=0, always=always) as (team, receiver):
        receipt = await team.receipt(await ask(team, traceparent=TRACEPARENT))
        (row,) = await team.served()
    assert receipt.trace_id is None
    assert receiver.spans == []
    assert row["traceparent"].startswith(f"00-{TRACE}-")


async def test_without_tracing_a_callers_trace_passes_through(redis_url: str) -> None:
    """As it came."""
    async with stack(redis_url, ptu_and_paygo) as team:
        await ask(team, traceparent=TRACEPARENT, tracestate="acme=1")
        (row,) = await team.served()
    assert (row["traceparent"], row["tracestate"]) == (TRACEPARENT, "acme=1")


SECRET = "jane@mail.example"
ALLOWED = {"content": {"allowed": True}}


async def told_of(team: Stack, receiver: TraceReceiver, *, stream: bool = False) -> dict[str, Any]:
    """The messages of one request, by the name of their attribute."""
    body = {"model": "gpt-4o", "max_tokens": 20, "stream": stream}
    messages = [{"role": "user", "content": f"Write to {SECRET} about the weather"}]
    async with team.http.post(
        f"{team.base_url}/chat/completions",
        json=body | {"messages": messages},
        headers={"api-key": team.key},
    ) as answer:
        await answer.read()
        receipt = await team.receipt(answer.headers["x-request-id"])
    assert receipt.trace_id is not None
    spans = await receiver.trace(receipt.trace_id)
    found = {
        name: json.loads(value)
        for each in spans
        for name, value in each.attributes.items()
        if name.endswith("messages")
    }
    assert SECRET not in repr(spans)
    return found


async def test_prompts_and_answers_are_sent_of_who_asked_for_it(redis_url: str) -> None:
    """Redacted, streamed or not, where the configuration allows it."""
    async with traced(redis_url, {"tenant": {"trace_content": True}}, **ALLOWED) as (team, out):
        for stream in (False, True):
            told = await told_of(team, out, stream=stream)
            (asked,) = told["gen_ai.input.messages"]
            assert asked["role"] == "user"
            assert asked["parts"][0]["content"] == "Write to [email] about the weather"
            (answered,) = told["gen_ai.output.messages"]
            assert answered["role"] == "assistant"
            assert answered["parts"][0]["content"]


@pytest.mark.parametrize(
    ("asks", "allowed"), [(True, {}), (False, ALLOWED)], ids=["not allowed", "not asked for"]
)
async def test_both_have_to_say_so(redis_url: str, asks: bool, allowed: dict[str, Any]) -> None:  # noqa: FBT001  # a column of the table
    """The configuration and the tenant."""
    async with traced(redis_url, {"tenant": {"trace_content": asks}}, **allowed) as (team, out):
        assert await told_of(team, out) == {}


async def test_an_opt_in_is_in_the_audit_log(redis_url: str) -> None:
    """In words; it is in force for the next request."""
    async with traced(redis_url, **ALLOWED) as (team, out):
        assert await told_of(team, out) == {}
        admin = f"{team.process.admin_url}/admin/v1"
        headers = {"authorization": "Bearer an-admin-key-of-tests"}
        path, change = f"{admin}/tenants/team-{team.suffix}", {"trace_content": True}
        async with team.http.patch(path, json=change, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            assert (await answer.json())["data"]["trace_content"] is True
        assert "gen_ai.input.messages" in await told_of(team, out)
        async with team.http.get(f"{admin}/audit", headers=headers) as answer:
            records = (await answer.json())["data"]
    (record,) = [each for each in records if "trace_content" in each["action"]]
    assert (record["action"], record["actor"]) == ("changed, trace_content on", "owner")


async def test_a_receiver_that_is_frozen_costs_requests_nothing(redis_url: str) -> None:
    """What it does not take waits, then is dropped and counted; and the end does not wait."""
    export = {"timeout_s": 30, "close_s": 0.2, "queue": 64, "batch": 16}
    async with traced(redis_url, export=export) as (team, receiver):
        receiver.frozen = True
        longest = 0.0
        for _ in range(30):
            began = time.perf_counter()
            await ask(team)
            longest = max(longest, time.perf_counter() - began)
        out = team.process.resources.traced
        assert out is not None
        assert out.lost_total > 0
        lost_before = out.lost_total
        ended = time.perf_counter()
    assert longest < 15
    assert time.perf_counter() - ended < 25
    assert out.lost_total > lost_before
    assert receiver.spans == []


async def test_a_receiver_that_comes_back_gets_what_follows(redis_url: str) -> None:
    """What it refused meanwhile is counted."""
    async with traced(redis_url, export={"timeout_s": 0.5}) as (team, receiver):
        receiver.status = 400
        await ask(team)
        out = team.process.resources.traced
        assert out is not None
        await eventually(lambda: out.lost_total > 0)
        receiver.status = 200
        receipt = await team.receipt(await ask(team))
        assert receipt.trace_id is not None
        nested(await receiver.trace(receipt.trace_id))


async def test_headers_are_those_of_the_config_alone(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens that the environment has for another collector are not sent to this one."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=somebody-elses,x-other=1")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=somebody-else")
    headers = {"x-token": "ours"}
    async with traced(redis_url, headers=headers, service_name="gw") as (team, receiver):
        receipt = await team.receipt(await ask(team))
        assert receipt.trace_id is not None
        (first, *_) = await receiver.trace(receipt.trace_id)
    sent = receiver.headers[0]
    assert sent["x-token"] == "ours"
    assert "authorization" not in sent
    assert "x-other" not in sent
    assert (sent["content-encoding"], sent["content-type"]) == ("gzip", "application/x-protobuf")
    assert first.service["service.name"] == "gw"


async def test_what_is_sampled_follows_a_reload(redis_url: str) -> None:
    """Where it is sent to waits for the next start."""
    async with traced(redis_url, sample=0) as (team, receiver):
        quiet = await team.receipt(await ask(team))
        settings = team.process.current.settings
        changes = {"sample": 1.0, "endpoint": "http://127.0.0.1:9"}
        section = settings.tracing.model_copy(update=changes)
        await team.process.reload(settings.model_copy(update={"tracing": section}))
        told = await team.receipt(await ask(team))
        assert told.trace_id is not None
        await receiver.trace(told.trace_id)
    assert quiet.trace_id is None


@pytest.mark.skipif(bool(missing(DEFAULT)), reason=missing(DEFAULT) or "it is there")
async def test_a_sample_of_the_cache_leads_to_the_request_that_it_measures(
    redis_url: str,
) -> None:
    """The gateway's own request is a trace of its own, with a link."""
    cache = {"semantic": {"enabled": True, "sample_rate": 1}, "semantic_lookup_ms": 5000}
    async with traced(redis_url, {"cache": cache}) as (team, receiver):
        await kept(team)
        hit = await team.receipt(await ask(team))
        await receiver.until(lambda: any(each.links for each in receiver.spans))
    assert hit.cache.result.value == "semantic"
    assert hit.trace is not None
    (errand,) = [each for each in receiver.spans if each.links]
    assert errand.links == ((hit.trace.trace_id, hit.trace.span_id),)
    assert (errand.kind, errand.attributes["spillgate.errand"]) == ("internal", "sample")


async def kept(team: Stack) -> None:
    """One answer is kept and can be found by its meaning."""
    cached = team.process.resources.cached
    index = cached.answers.index
    assert index is not None
    await eventually(lambda: index.trouble is None)
    await ask(team)
    await cached.answers.settled()
    assert cached.meaning is not None
    errors = cached.meaning.measured.errors
    await eventually(lambda: errors.threshold(f"team-{team.suffix}", "gpt-4o") > 0)
