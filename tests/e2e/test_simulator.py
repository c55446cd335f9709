from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import openai
import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI
from pydantic import BaseModel

from app.simulator.deployment import SimulatedDeployment
from app.simulator.server import serve_simulator
from tests.fakes.changed import replace

KEY = "a-key"
# 60 PTUs of 1,000 input tokens per minute: 1,000 a second, 60,000 deep.
PTU = SimulatedDeployment(
    name="ptu",
    kind="ptu",
    model="gpt-4o",
    deployment="chat-ptu",
    api="classic",
    api_key=KEY,
    ptus=60,
    tpm=None,
    rpm=None,
    input_tpm_per_ptu=1000,
    output_ratio=4,
    max_output_tokens=16_384,
    ttft_ms=0,
    tpot_ms=0,
)
PAYGO = replace(PTU, name="paygo", kind="paygo", deployment="chat", api="v1", ptus=None)
OTHER = replace(PAYGO, name="other", deployment="gpt-4o", api="openai")
EMBEDDING = replace(PAYGO, name="emb", model="text-embedding-3-small", deployment="embed")
SLOW = replace(PAYGO, name="slow", deployment="slow", ttft_ms=200, tpot_ms=20)
SMALL = replace(PTU, name="small", deployment="small", ptus=1, ptu_window_s=1)

HELLO: list[Any] = [{"role": "user", "content": "Hello, how are you?"}]


def say(content: str) -> list[Any]:
    return [{"role": "user", "content": content}]


@pytest.fixture
async def url() -> AsyncIterator[str]:
    everything = (PTU, PAYGO, OTHER, EMBEDDING, SLOW, SMALL)
    async with serve_simulator(everything) as base:
        yield base


@pytest.fixture
async def http(url: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=url, headers={"api-key": KEY}, timeout=60) as client:
        yield client


def azure(url: str, deployment: SimulatedDeployment = PTU) -> AsyncAzureOpenAI:
    return AsyncAzureOpenAI(
        azure_endpoint=f"{url}/{deployment.name}",
        api_key=KEY,
        api_version="2024-10-21",
        max_retries=0,
        timeout=120,
    )


def v1(url: str, deployment: SimulatedDeployment = PAYGO) -> AsyncOpenAI:
    base = f"{url}/{deployment.name}/openai/v1/"
    return AsyncOpenAI(base_url=base, api_key=KEY, max_retries=0, timeout=120)


def compatible(url: str) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{url}/other/v1", api_key=KEY, max_retries=0, timeout=120)


async def rows(http: httpx2.AsyncClient) -> list[dict[str, Any]]:
    served: list[dict[str, Any]] = (await http.get("/_sim/ledger")).json()["served"]
    return served


async def arm(http: httpx2.AsyncClient, **fault: object) -> None:
    (await http.post("/_sim/faults", json=fault)).raise_for_status()


def classic(deployment: SimulatedDeployment, operation: str = "chat/completions") -> str:
    base = f"/{deployment.name}/openai/deployments/{deployment.deployment}"
    return f"{base}/{operation}?api-version=2024-10-21"


# --- answers, through the SDK -------------------------------------------------------------------


@pytest.mark.parametrize("surface", ["azure", "v1", "openai"])
async def test_chat_on_every_surface(surface: str, url: str, http: httpx2.AsyncClient) -> None:
    """Each kind of client gets a completion whose usage the ledger has, too."""
    async with {"azure": azure, "v1": v1, "openai": compatible}[surface](url) as client:
        model = {"azure": "chat-ptu", "v1": "chat", "openai": "gpt-4o"}[surface]
        answer = await client.chat.completions.create(model=model, messages=HELLO, max_tokens=40)

    assert answer.usage is not None
    assert answer.choices[0].message.content
    assert 10 <= answer.usage.completion_tokens <= 40
    (row,) = await rows(http)
    assert row["endpoint"] == "chat/completions"
    assert row["status"] == 200
    assert row["outcome"] == "complete"
    assert row["input_tokens"] == answer.usage.prompt_tokens
    assert row["output_tokens"] == answer.usage.completion_tokens
    assert row["max_tokens"] == 40
    assert time.time() - 10 < row["started"] <= row["ended"] <= time.time()


async def test_a_stream_tells_the_same_as_the_whole(url: str) -> None:
    """Streaming changes how an answer comes, not what it is; usage is in the last chunk."""
    async with azure(url) as client:
        whole = await client.chat.completions.create(model="chat-ptu", messages=HELLO)
        stream = await client.chat.completions.create(
            model="chat-ptu", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]

    assert chunks[0].choices == []
    assert chunks[1].choices[0].delta.role == "assistant"
    text = "".join(each.choices[0].delta.content or "" for each in chunks if each.choices)
    assert text == whole.choices[0].message.content
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage


async def test_usage_is_on_chunks_only_when_asked_for(http: httpx2.AsyncClient) -> None:
    """Without the option there is neither the usage chunk nor a null in the others."""
    body = {"messages": HELLO, "stream": True, "max_tokens": 5}
    plain = await http.post(classic(PTU), json=body)
    asked = await http.post(classic(PTU), json={**body, "stream_options": {"include_usage": True}})

    assert "usage" not in plain.text
    assert plain.text.endswith("data: [DONE]\n\n")
    assert '"usage":null' in asked.text
    assert plain.headers["content-type"].startswith("text/event-stream")


async def test_the_asynchronous_filter_annotates_late(http: httpx2.AsyncClient) -> None:
    """Annotations without a delta come before and after the finish reason."""
    reply = await http.post(
        classic(PTU), json={"messages": say("[[async_filter]]"), "stream": True, "max_tokens": 5}
    )
    chunks = [
        json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: {")
    ]

    late = [i for i, chunk in enumerate(chunks) if "content_filter_offsets" in reply_choice(chunk)]
    finish = next(i for i, chunk in enumerate(chunks) if reply_choice(chunk).get("finish_reason"))
    assert late == [finish - 1, finish + 1]
    assert "delta" not in reply_choice(chunks[-1])


def reply_choice(chunk: dict[str, Any]) -> dict[str, Any]:
    choices: list[dict[str, Any]] = chunk["choices"] or [{}]
    return choices[0]


async def test_choices_and_logprobs(url: str) -> None:
    """`n` choices, each token with its probability and alternatives."""
    async with v1(url) as client:
        answer = await client.chat.completions.create(
            model="chat", messages=HELLO, n=2, logprobs=True, top_logprobs=2, max_tokens=9
        )

    assert [choice.index for choice in answer.choices] == [0, 1]
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert "".join(each.token for each in logprobs.content) == answer.choices[0].message.content
    assert len(logprobs.content[0].top_logprobs) == 2


async def test_legacy_completions(url: str) -> None:
    """Several prompts, whole and streamed."""
    async with azure(url) as client:
        whole = await client.completions.create(model="chat-ptu", prompt=["a", "b"], max_tokens=9)
        stream = await client.completions.create(
            model="chat-ptu", prompt=["a", "b"], max_tokens=9, stream=True
        )
        texts = ["", ""]
        async for chunk in stream:
            for choice in chunk.choices:
                texts[choice.index] += choice.text

    assert texts == [choice.text for choice in whole.choices]


async def test_tools_are_called(url: str) -> None:
    """A required tool is called with JSON, streamed or not."""
    tool: Any = {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
    async with azure(url) as client:
        whole = await client.chat.completions.create(
            model="chat-ptu", messages=HELLO, tools=[tool], tool_choice="required"
        )
        async with client.chat.completions.stream(
            model="chat-ptu", messages=HELLO, tools=[tool], tool_choice="required"
        ) as stream:
            streamed = await stream.get_final_completion()

    for answer in (whole.choices[0], streamed.choices[0]):
        assert answer.finish_reason == "tool_calls"
        assert answer.message.tool_calls is not None
        call: Any = answer.message.tool_calls[0]
        assert call.function.name == "weather"
        assert isinstance(json.loads(call.function.arguments)["city"], str)


class Event(BaseModel):
    name: str
    day: int
    guests: list[str]


async def test_structured_output_parses(url: str) -> None:
    """The SDK's parse helpers of both APIs get the object they asked for."""
    async with v1(url) as client:
        chat = await client.chat.completions.parse(
            model="chat", messages=HELLO, response_format=Event
        )
        response = await client.responses.parse(model="chat", input="hi", text_format=Event)

    assert isinstance(chat.choices[0].message.parsed, Event)
    assert isinstance(response.output_parsed, Event)


async def test_embeddings_in_both_encodings(url: str, http: httpx2.AsyncClient) -> None:
    """The SDK's own base64 and plain floats are the same unit vectors."""
    async with v1(url, EMBEDDING) as client:
        packed = await client.embeddings.create(model="embed", input=["one", "two"], dimensions=64)
        plain = await client.embeddings.create(
            model="embed", input=["one", "two"], dimensions=64, encoding_format="float"
        )

    assert [each.embedding for each in packed.data] == [
        pytest.approx(each.embedding) for each in plain.data
    ]
    assert len(packed.data[0].embedding) == 64
    assert (await rows(http))[0]["input_tokens"] == packed.usage.prompt_tokens == 2


async def test_models(url: str) -> None:
    """The base model and the deployment are listed and can be looked up."""
    async with azure(url) as client:
        listed = [model.id async for model in client.models.list()]
        assert listed == ["gpt-4o", "chat-ptu"]
        assert (await client.models.retrieve("gpt-4o")).object == "model"
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("gpt-1")


@pytest.mark.parametrize("surface", ["azure", "v1"])
async def test_a_response_lives_on_its_deployment(surface: str, url: str) -> None:
    """A response can be looked at, continued and deleted where it was made, and only there."""
    async with azure(url) if surface == "azure" else v1(url, PTU) as here, v1(url) as elsewhere:
        first = await here.responses.create(model="chat-ptu", input="Hello")
        again = await here.responses.retrieve(first.id)
        second = await here.responses.create(
            model="chat-ptu", input="And?", previous_response_id=first.id
        )
        items = await here.responses.input_items.list(first.id)
        with pytest.raises(openai.BadRequestError) as refused:
            await elsewhere.responses.create(
                model="chat", input="And?", previous_response_id=first.id
            )
        await here.responses.delete(first.id)
        with pytest.raises(openai.NotFoundError):
            await here.responses.retrieve(first.id)

    assert again.output_text == first.output_text
    assert first.usage is not None
    assert second.usage is not None
    assert second.usage.input_tokens > first.usage.total_tokens
    assert [item.type for item in items.data] == ["message"]
    assert refused.value.code == "previous_response_not_found"


async def test_a_response_that_is_not_stored_is_gone(url: str) -> None:
    """`store: false` leaves nothing to retrieve."""
    async with v1(url) as client:
        response = await client.responses.create(model="chat", input="Hello", store=False)
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(response.id)


async def test_a_background_response_can_be_cancelled(url: str) -> None:
    """It is queued, runs, and ends when it is told to."""
    async with v1(url, SLOW) as client:
        queued = await client.responses.create(model="slow", input="Hello", background=True)
        running = await client.responses.retrieve(queued.id)
        cancelled = await client.responses.cancel(queued.id)

    assert [queued.status, running.status, cancelled.status] == [
        "queued",
        "in_progress",
        "cancelled",
    ]


async def test_the_stream_of_a_cancelled_response_just_ends(url: str) -> None:
    """No event says that it was cancelled: none is on record."""
    async with v1(url, SLOW) as client:
        queued = await client.responses.create(model="slow", input="Hello", background=True)
        await client.responses.cancel(queued.id)
        events = [event async for event in await client.responses.retrieve(queued.id, stream=True)]

    assert events[0].type == "response.created"
    assert "response.completed" not in {event.type for event in events}


async def test_a_background_stream_goes_on_without_its_client(url: str) -> None:
    """Who comes back has the rest, from the event that is asked for; and the whole once more."""
    asked: Any = {"model": "slow", "input": "Hello", "background": True, "stream": True}
    async with v1(url, SLOW) as client:
        stream = await client.responses.create(**asked)
        seen = []
        async for event in stream:
            seen.append(event)
            if event.type == "response.output_text.delta":
                break
        await stream.close()
        made = seen[0].response.id
        assert (await client.responses.retrieve(made)).status == "in_progress"
        last = seen[-1].sequence_number
        rest = await client.responses.retrieve(made, stream=True, starting_after=last)
        seen += [event async for event in rest]
        again = [event async for event in await client.responses.retrieve(made, stream=True)]
        with pytest.raises(openai.BadRequestError, match="starting_after"):
            await client.responses.retrieve(
                made,
                stream=True,
                starting_after="x",  # type: ignore[call-overload]  # a mistake
            )

    assert [event.sequence_number for event in seen] == list(range(len(seen)))
    assert seen[-1].type == "response.completed"
    assert seen == again


async def test_response_events_are_in_order(url: str) -> None:
    """The SDK's helper, which checks the order, reads the stream to its completed response."""
    async with v1(url) as client, client.responses.stream(model="chat", input="Hello") as stream:
        events = [event async for event in stream]
        final = await stream.get_final_response()

    numbers = [getattr(event, "sequence_number", None) for event in events]
    assert numbers == list(range(len(events)))
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    assert final.usage is not None
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == final.output_text
    assert len(deltas) == final.usage.output_tokens


async def test_a_capped_response_is_incomplete(url: str) -> None:
    """One that used all of its cap says so in its status and its last event."""
    async with v1(url) as client:
        stream = await client.responses.create(
            model="chat", input="Hello", max_output_tokens=1, stream=True
        )
        last = [event async for event in stream][-1]

    assert last.type == "response.incomplete"
    assert last.response.incomplete_details is not None
    assert last.response.incomplete_details.reason == "max_output_tokens"


async def test_answers_depend_on_input_and_seed() -> None:
    """Two simulators with one seed agree; another seed says something else."""

    async def ask(seed: int) -> str | None:
        async with serve_simulator([PTU], seed=seed) as base, azure(base) as client:
            answer = await client.chat.completions.create(model="chat-ptu", messages=HELLO)
            return answer.choices[0].message.content

    assert await ask(1) == await ask(1) != await ask(2)


async def test_a_repeated_prefix_is_cached(url: str) -> None:
    """From 1,024 tokens on the second call reports cached tokens, in steps of 128."""
    long = say("word " * 3000)
    async with azure(url) as client:
        usages = [
            (await client.chat.completions.create(model="chat-ptu", messages=long)).usage
            for _ in range(2)
        ]

    cached = [
        usage.prompt_tokens_details.cached_tokens or 0
        for usage in usages
        if usage is not None and usage.prompt_tokens_details is not None
    ]
    assert cached[0] == 0
    assert cached[1] >= 1024
    assert cached[1] % 128 == 0


# --- refusals -----------------------------------------------------------------------------------


async def test_headers_of_a_ptu(http: httpx2.AsyncClient) -> None:
    """A provisioned answer tells its utilisation, and no rate limits."""
    reply = await http.post(classic(PTU), json={"messages": HELLO, "max_tokens": 10})

    assert reply.headers["azure-openai-deployment-utilization"].endswith("%")
    assert reply.headers["x-ms-region"] == "East US"
    assert reply.headers["x-ms-deployment-name"] == "chat-ptu"
    assert reply.headers["apim-request-id"] == reply.headers["x-request-id"]
    assert "azureml-model-session" in reply.headers
    assert not [name for name in reply.headers if name.startswith("x-ratelimit")]


async def test_a_full_ptu_refuses_until_it_is_below_full(
    url: str, http: httpx2.AsyncClient
) -> None:
    """The wait it names is the time after which the same request is served."""
    async with azure(url, SMALL) as client:
        await client.chat.completions.create(model="small", messages=HELLO, max_tokens=100)
        with pytest.raises(openai.RateLimitError) as refused:
            await client.chat.completions.create(model="small", messages=HELLO, max_tokens=100)
        wait_ms = int(refused.value.response.headers["retry-after-ms"])
        assert int(refused.value.response.headers["retry-after"]) == -(-wait_ms // 1000)

    row = (await rows(http))[-1]
    assert (row["status"], row["outcome"], row["output_tokens"]) == (429, "refused", 0)
    report = (await http.get("/_sim/ledger")).json()["totals"]["small"]
    assert (report["requests"], report["refused"]) == (2, 1)
    assert report["utilization"] > 1


async def test_a_full_ptu_serves_again_after_the_wait() -> None:
    """Retry-After is the truth: the client that waits for it is admitted."""
    quick = replace(SMALL, input_tpm_per_ptu=15_000, ptu_window_s=0.1)
    async with serve_simulator([quick]) as base, azure(base, quick) as client:

        async def ask() -> None:
            await client.chat.completions.create(model="small", messages=HELLO, max_tokens=50)

        await ask()
        with pytest.raises(openai.RateLimitError) as refused:
            await ask()
        await asyncio.sleep(int(refused.value.response.headers["retry-after-ms"]) / 1000)
        await ask()


async def test_paygo_refuses_by_tokens(http: httpx2.AsyncClient) -> None:
    """Azure's body names model, region and limit, and when to come back."""
    limited = replace(PAYGO, tpm=100, rpm=600)
    async with serve_simulator([limited]) as base, v1(base, limited) as client:
        await client.chat.completions.create(model="chat", messages=HELLO, max_tokens=200)
        with pytest.raises(openai.RateLimitError) as refused:
            await client.chat.completions.create(model="chat", messages=HELLO, max_tokens=200)

    error: Any = refused.value.body
    headers = refused.value.response.headers
    assert error["code"] == "RateLimitReached"
    assert "chat for gpt-4o in East US have exceeded the token rate limit" in error["message"]
    assert f"retry after {headers['retry-after']} seconds" in error["message"]
    assert headers["policy-id"] == "DeploymentRatelimit-Token"
    assert headers["x-ratelimit-remaining-tokens"] == "0"
    assert headers["x-ratelimit-limit-requests"] == "600"


async def test_paygo_refuses_by_calls() -> None:
    """A burst beyond a sixth of the calls per minute is refused."""
    limited = replace(PAYGO, rpm=12)
    async with serve_simulator([limited]) as base, v1(base, limited) as client:
        for _ in range(2):
            await client.chat.completions.create(model="chat", messages=HELLO, max_tokens=2)
        with pytest.raises(openai.RateLimitError, match="call rate limit") as refused:
            await client.chat.completions.create(model="chat", messages=HELLO, max_tokens=2)

    assert refused.value.response.headers["policy-id"] == "DeploymentRatelimit-Call"


async def test_a_throttled_response_stream_fails_inside_a_200(
    url: str, http: httpx2.AsyncClient
) -> None:
    """Azure's streamed throttle has status 200, Retry-After, and an error in its events."""
    async with azure(url, SMALL) as client:
        await client.responses.create(model="small", input="hi", max_output_tokens=100)
        with pytest.raises(openai.RateLimitError):
            await client.responses.create(model="small", input="hi", max_output_tokens=100)
        stream = await client.responses.create(model="small", input="hi", stream=True)
        assert stream.response.status_code == 200
        assert int(stream.response.headers["retry-after-ms"]) > 0
        with pytest.raises(openai.APIError) as refused:
            _ = [event async for event in stream]

    assert refused.value.code == "rate_limit_exceeded"
    row = (await rows(http))[-1]
    assert (row["status"], row["outcome"], row["stream"]) == (200, "refused", True)


async def test_an_openai_server_refuses_a_stream_with_a_429() -> None:
    """Only Azure says 200 first."""
    limited = replace(OTHER, rpm=1)
    async with serve_simulator([limited]) as base, compatible(base) as client:
        await client.responses.create(model="gpt-4o", input="hi")
        with pytest.raises(openai.RateLimitError):
            await client.responses.create(model="gpt-4o", input="hi", stream=True)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"api-key": KEY}, 200),
        ({"authorization": f"Bearer {KEY}"}, 200),
        ({"authorization": "Bearer eyJhbGciOi.eyJhdWQiOi.c2ln"}, 200),
        ({"api-key": KEY, "authorization": f"Bearer {KEY}"}, 200),
        ({"api-key": "wrong"}, 401),
        ({"authorization": "Bearer wrong"}, 401),
        ({}, 401),
    ],
)
async def test_keys(headers: dict[str, str], status: int, url: str) -> None:
    """The key in either header, or an Entra token; anything else is Azure's 401."""
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=60) as client:
        reply = await client.post(classic(PTU), json={"messages": HELLO})

    assert reply.status_code == status
    if status == 401:
        assert reply.json()["error"]["message"].startswith("Access denied due to invalid")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/ptu/openai/deployments/other/chat/completions?api-version=2024-10-21", 404,
         "DeploymentNotFound"),
        ("/ptu/openai/deployments/chat-ptu/chat/completions", 404, "404"),
        ("/ptu/openai/deployments/chat-ptu/nothing?api-version=2024-10-21", 404, "404"),
        ("/ptu/openai/v1/chat/completions", 404, "DeploymentNotFound"),
        ("/ptu/openai/v1/chat/completions?api-version=2024-10-21", 400, "BadRequest"),
        ("/ptu/v1/chat/completions", 404, "404"),
        ("/nowhere/openai/v1/chat/completions", 404, "404"),
        ("/emb/openai/deployments/embed/chat/completions?api-version=2024-10-21", 400,
         "OperationNotSupported"),
        ("/ptu/openai/deployments/chat-ptu/embeddings?api-version=2024-10-21", 400,
         "OperationNotSupported"),
    ],
)  # fmt: skip
async def test_wrong_addresses(path: str, status: int, code: str, http: httpx2.AsyncClient) -> None:
    """Unknown deployments, versions and paths are refused in Azure's words."""
    reply = await http.post(path, json={"model": "unknown", "messages": HELLO, "input": "hi"})

    assert reply.status_code == status
    assert reply.json()["error"]["code"] == code


async def test_wrong_methods(http: httpx2.AsyncClient) -> None:
    """Azure knows no such resource, OpenAI no such method."""
    assert (await http.get(classic(PTU))).status_code == 404
    bearer = {"authorization": f"Bearer {KEY}"}
    assert (await http.get("/other/v1/chat/completions", headers=bearer)).status_code == 405
    assert (await http.get("/other/v1/nothing", headers=bearer)).status_code == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", None),
        (b"[]", None),
        (b"{}", "missing_required_parameter"),
        (json.dumps({"messages": say("[[content_filter]]")}).encode(), "content_filter"),
        (json.dumps({"messages": say("[[content_filter_alt]]")}).encode(), "content_filter"),
        (json.dumps({"messages": say("word " * 130_000)}).encode(), "context_length_exceeded"),
    ],
)
async def test_wrong_bodies(body: bytes, code: str | None, http: httpx2.AsyncClient) -> None:
    """What is malformed, filtered or too long is a 400, and none of it occupies capacity."""
    reply = await http.post(classic(PTU), content=body)

    assert reply.status_code == 400
    assert reply.json()["error"]["code"] == code
    report = (await http.get("/_sim/ledger")).json()
    assert report["served"][0]["outcome"] == "error"
    assert report["totals"]["ptu"]["utilization"] < 0.01


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_more_output_than_the_model_writes_is_refused(
    name: str, http: httpx2.AsyncClient
) -> None:
    """In Azure's words, which call both parameters by the older name; nothing is generated."""
    body = {"messages": HELLO, "stream": True}
    reply = await http.post(classic(PTU), json=body | {name: 16_385})
    assert (reply.status_code, reply.json()["error"]) == (
        400,
        {
            "message": "max_tokens is too large: 16385. This model supports at most 16384 "
            "completion tokens, whereas you provided 16385.",
            "type": "invalid_request_error",
            "param": "max_tokens",
            "code": "invalid_value",
        },
    )
    report = (await http.get("/_sim/ledger")).json()
    assert report["served"][0]["output_tokens"] == 0
    assert report["totals"]["ptu"]["utilization"] < 0.01
    assert (await http.post(classic(PTU), json=body | {name: 16_384})).status_code == 200


async def test_a_response_ends_where_its_model_does(url: str) -> None:
    """Whatever it is allowed to write."""
    async with v1(url) as client:
        response = await client.responses.create(
            model="chat", input="Hi", max_output_tokens=1_000_000
        )
    assert response.usage is not None
    assert response.usage.output_tokens <= 16_384


async def test_the_filter_has_two_spellings(http: httpx2.AsyncClient) -> None:
    """Clients meet `innererror` as well as `inner_error`."""
    old = await http.post(classic(PTU), json={"messages": say("[[content_filter]]")})
    new = await http.post(classic(PTU), json={"messages": say("[[content_filter_alt]]")})

    assert "content_filter_result" in old.json()["error"]["innererror"]
    assert "content_filter_results" in new.json()["error"]["inner_error"]


async def test_a_reset_may_empty_the_capacity(url: str, http: httpx2.AsyncClient) -> None:
    """Told to, a reset leaves every deployment as it was at the start."""
    async with azure(url, SMALL) as client:
        await client.chat.completions.create(model="small", messages=HELLO, max_tokens=100)
        assert (await http.post("/_sim/reset", content=b"{")).status_code == 400
        await http.post("/_sim/reset")
        with pytest.raises(openai.RateLimitError):
            await client.chat.completions.create(model="small", messages=HELLO, max_tokens=100)
        await http.post("/_sim/reset", json={"capacity": True})
        await client.chat.completions.create(model="small", messages=HELLO, max_tokens=100)


# --- clients that leave -------------------------------------------------------------------------


async def eventually_one_row(http: httpx2.AsyncClient, *, within: float) -> dict[str, Any]:
    deadline = time.monotonic() + within
    while not (served := await rows(http)):
        assert time.monotonic() < deadline, "no row was written"
        await asyncio.sleep(0.01)
    return served[0]


async def test_leaving_a_stream_ends_it(url: str, http: httpx2.AsyncClient) -> None:
    """Only what was generated until then is charged, within moments of leaving."""
    async with v1(url, SLOW) as client:
        stream = await client.chat.completions.create(
            model="slow", messages=HELLO, stream=True, max_tokens=4000
        )
        seen = 0
        async for chunk in stream:
            seen += bool(chunk.choices and chunk.choices[0].delta.content)
            if seen == 3:
                break
        await stream.close()
        left = time.time()

    row = await eventually_one_row(http, within=20.0)
    assert row["outcome"] == "client_gone"
    assert 3 <= row["output_tokens"] < 100
    assert abs(row["ended"] - left) < 20


@pytest.mark.parametrize("stream", [True, False])
async def test_leaving_before_the_first_token(
    http: httpx2.AsyncClient, url: str, *, stream: bool
) -> None:
    """The prompt is charged and nothing else, whether it was to stream or not."""
    never = replace(SLOW, ttft_ms=60_000)
    async with serve_simulator([never]) as base:
        async with httpx2.AsyncClient(base_url=base, timeout=0.3) as client:
            with pytest.raises(httpx2.TimeoutException):
                await client.post(
                    classic(never),
                    json={"messages": HELLO, "stream": stream},
                    headers={"api-key": KEY},
                )
        async with httpx2.AsyncClient(base_url=base, timeout=60) as client:
            row = await eventually_one_row(client, within=20.0)

    assert row["outcome"] == "client_gone"
    assert row["status"] == (200 if stream else 499)
    assert row["input_tokens"] > 0
    assert row["output_tokens"] == 0
    assert row["ended"] - row["started"] < 20


async def test_leaving_gives_capacity_back() -> None:
    """The bucket is corrected to what a client that left had been sent."""
    slow = replace(SLOW, name="ptu", kind="ptu", ptus=60, deployment="chat-ptu")
    async with (
        serve_simulator([slow]) as base,
        httpx2.AsyncClient(base_url=base, headers={"api-key": KEY}, timeout=60) as http,
    ):

        async def utilization() -> float:
            value: float = (await http.get("/_sim/ledger")).json()["totals"]["ptu"]["utilization"]
            return value

        body = {"messages": HELLO, "stream": True, "max_tokens": 10_000}
        async with http.stream("POST", classic(slow), json=body) as reply:
            parts = reply.aiter_raw()
            await anext(parts)
            assert await utilization() > 0.5
        await eventually_one_row(http, within=20.0)
        assert await utilization() < 0.01


async def test_ending_does_not_wait_for_streams() -> None:
    """The simulator hangs up on running streams and is gone at once."""
    endless = replace(SLOW, tpot_ms=60_000)
    async with serve_simulator([endless]) as base:
        reply = httpx2.AsyncClient(base_url=base, headers={"api-key": KEY}, timeout=60)
        body = {"messages": HELLO, "stream": True}
        request = reply.build_request("POST", classic(endless), json=body)
        await reply.send(request, stream=True)
        ending = time.monotonic()
    assert time.monotonic() - ending < 20
    await reply.aclose()


async def test_many_streams_at_once() -> None:
    """A hundred streams run side by side at the pace they were given."""
    steady = replace(PAYGO, ttft_ms=50, tpot_ms=10)
    body = {"messages": HELLO, "stream": True, "max_tokens": 40}
    limits = httpx2.Limits(max_connections=None)
    async with (
        serve_simulator([steady]) as base,
        httpx2.AsyncClient(
            base_url=base, headers={"api-key": KEY}, limits=limits, timeout=60
        ) as client,
    ):
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(client.post(classic(steady), json={**body, "seed": index}))
                for index in range(100)
            ]
        assert time.monotonic() - began < 60
        assert all(task.result().text.endswith("data: [DONE]\n\n") for task in tasks)
        assert {row["outcome"] for row in await rows(client)} == {"complete"}
