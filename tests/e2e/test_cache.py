"""Answers from the cache, as SDKs see them; the simulator's ledger says who was asked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletion

from app.adapters.embedder.local import DEFAULT
from app.domain.cache.kept import Selection
from app.domain.cache.thresholds import threshold_of
from tests.e2e.stack import Stack, eventually, ptu_and_paygo, stack

TOOL: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather somewhere",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}


def exact(suffix: str) -> dict[str, Any]:
    return ptu_and_paygo(suffix) | {"cache": {"exact": {"enabled": True}}}


def semantic(suffix: str) -> dict[str, Any]:
    caches = {"exact": {"enabled": True}, "semantic": {"enabled": True}}
    return ptu_and_paygo(suffix) | {"cache": caches | {"semantic_lookup_ms": 5000}}


def question(text: str, **more: Any) -> dict[str, Any]:
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], "max_tokens": 40}
    return asked | more


async def ask(team: Stack, text: str, **more: Any) -> tuple[str, ChatCompletion]:
    """What the answer says of the cache, and the answer."""
    raw = await team.openai().chat.completions.with_raw_response.create(**question(text, **more))
    return raw.headers["x-spillgate-cache"], raw.parse()


async def kept(team: Stack) -> None:
    """Until nothing waits to be kept."""
    await team.process.resources.cached.answers.settled()


@pytest.mark.parametrize("tools", [[], [TOOL]], ids=["no tools", "tools"])
async def test_a_stream_from_the_cache_is_parsed_as_one_from_upstream(
    redis_url: str, tools: list[Any]
) -> None:
    """The SDK's own accumulation of both is the same, usage included."""
    more = {"tools": tools, "tool_choice": "required"} if tools else {}
    async with stack(redis_url, exact) as team:
        finals = [await streamed(team.openai(), **more)]
        await kept(team)
        finals.append(await streamed(team.openai(), **more))
        assert finals[0] == finals[1]
        assert len(await team.served()) == 1
        result, whole = await ask(team, "What is the weather in Paris?", **more)
        assert result == "exact"
        assert whole.usage is not None
        assert finals[0]["usage"]["completion_tokens"] == whole.usage.completion_tokens


async def streamed(client: AsyncOpenAI, **more: Any) -> dict[str, Any]:
    """A stream's end, as the SDK puts it together."""
    asked = question("What is the weather in Paris?", **more)
    async with client.chat.completions.stream(
        **asked, stream_options={"include_usage": True}
    ) as stream:
        async for _ in stream:
            pass
        final = await stream.get_final_completion()
    return final.model_dump(exclude_none=True)


async def test_a_long_stream_is_kept(redis_url: str) -> None:
    """What counts is what it says: its frames are longer than the longest answer that is kept."""

    async def read(team: Stack) -> tuple[str, int]:
        body = question("Tell me all of it", stream=True) | {"max_tokens": 3000}
        url, headers = f"{team.base_url}/chat/completions", {"authorization": f"Bearer {team.key}"}
        async with team.http.post(url, json=body, headers=headers) as answer:
            return answer.headers["x-spillgate-cache"], len(await answer.read())

    def config(suffix: str) -> dict[str, Any]:
        said = {"exact": {"enabled": True}, "max_entry_bytes": 64 * 1024, "replay_tokens_per_s": 0}
        return ptu_and_paygo(suffix) | {"cache": said}

    async with stack(redis_url, config) as team:
        result, length = await read(team)
        assert (result, length > 5 * 64 * 1024) == ("miss", True)
        await eventually(lambda: team.receipts.kept)
        await kept(team)
        assert (await read(team))[0] == "exact"


async def test_a_hit_is_a_request_that_costs_nothing(redis_url: str) -> None:
    """In the record of it, with what it saved and whose answer it was."""
    async with stack(redis_url, exact) as team:
        first = await ask(team, "What is a monad?")
        await kept(team)
        raw = await team.openai().chat.completions.with_raw_response.create(
            **question("What is a monad?", user="somebody else")
        )
        assert (first[0], raw.headers["x-spillgate-cache"]) == ("miss", "exact")
        assert raw.parse() == first[1]
        receipt = await team.receipt(raw.headers["x-request-id"])
        assert receipt.nano_usd == 0
        assert receipt.cache.saved_nano_usd > 0
        assert receipt.cache.source is not None
        original = await team.receipt(receipt.cache.source)
        assert original.nano_usd == receipt.cache.saved_nano_usd


async def test_embeddings_are_kept_too(redis_url: str) -> None:
    """Number by number."""

    def config(suffix: str) -> dict[str, Any]:
        name = f"embed-{suffix}"
        deployment = {
            "kind": "paygo",
            "endpoint": "https://x.openai.azure.com",
            "model": "text-embedding-3-small",
            "deployment": "e",
            "auth": {"api_key": "k"},
            "tpm": 1_000_000,
        }
        return {
            "deployments": {name: deployment},
            "models": {"embed": {"tiers": [[name]]}},
            "cache": {"exact": {"enabled": True}},
        }

    async with stack(redis_url, config) as team:

        async def embed() -> tuple[str, Any]:
            raw = await team.openai().embeddings.with_raw_response.create(
                model="embed", input="some text"
            )
            return raw.headers["x-spillgate-cache"], raw.parse()

        first = await embed()
        await kept(team)
        second = await embed()
        assert (first[0], second[0]) == ("miss", "exact")
        assert first[1] == second[1]


async def test_a_hundred_identical_requests_ask_once(redis_url: str) -> None:
    """The others wait for the first one's answer."""
    async with stack(redis_url, exact, ttft_ms=300) as team:
        served = await asyncio.gather(*(ask(team, "What is a functor?") for _ in range(100)))
        assert len(await team.served()) == 1
        assert {answer.model_dump_json() for _, answer in served} == {
            served[0][1].model_dump_json()
        }


async def test_an_eviction_that_could_not_be_recorded_parts_requests_all_the_same(
    redis_url: str,
) -> None:
    """On the worker that evicts; what other tenants wait for they get."""
    async with stack(redis_url, exact, ttft_ms=1500) as team:
        flights = team.process.current.gateway.caching.flights
        for tenant, result in (("another", "exact"), (f"team-{team.suffix}", "miss")):
            first = asyncio.create_task(ask(team, f"What has {tenant}?"))
            await eventually(lambda: len(flights) == 1)
            await team.process.resources.cached.answers.evict(tenant, Selection())
            assert (await ask(team, f"What has {tenant}?"))[0] == result
            assert (await first)[0] == "miss"
            await eventually(lambda: len(flights) == 0)


async def test_what_means_the_same_is_answered_once(redis_url: str) -> None:
    """And what means something else, however near it sounds, is not."""
    async with stack(redis_url, semantic) as team:
        index = team.process.resources.cached.answers.index
        assert index is not None
        await eventually(lambda: index.trouble is None)
        first = await ask(team, "How do I reset my password?")
        await kept(team)
        near = await ask(team, "how do i reset my password")
        assert near[0] == "semantic"
        assert near[1] == first[1]
        measured = team.process.resources.cached.meaning
        assert measured is not None
        in_force = measured.measured.errors.threshold(f"team-{team.suffix}", "gpt-4o")
        assert in_force == threshold_of(DEFAULT), "nothing was found wrong"
        other = await ask(team, "How do I reset my username?")
        assert other[0] == "miss"
