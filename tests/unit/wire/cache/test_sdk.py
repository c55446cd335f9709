from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from app.domain.call.request import Operation
from app.wire.cache.fold import fold
from app.wire.cache.unfold import unfold
from tests.fakes.kept_answers import (
    SAFE,
    Fields,
    call,
    chat,
    choice,
    completion,
    custom_call,
    function_call,
    message,
    output_text,
    reasoning,
    response,
    response_message,
    token_entries,
)
from tests.streams.recordings import recording

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "strict": True,
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
TEXT = "Grüße, Welt! 👩‍💻 It is 12345 o'clock."
CHATS = {
    "text": chat(choice(message(TEXT))),
    "azure": chat(
        choice(message(TEXT), content_filter_results=SAFE),
        prompt_filter_results=[{"prompt_index": 0, "content_filter_results": SAFE}],
    ),
    "calls": chat(
        choice(message(None, tool_calls=[call(), call("time", '{"zone":"CET"}', 2)]), "tool_calls")
    ),
    "text and calls": chat(choice(message(TEXT, tool_calls=[call()]), "tool_calls")),
    "refusal": chat(choice(message(None, refusal="I cannot help with that."))),
    "two choices": chat(choice(message(TEXT)), choice(message("Short."))),
    "log probabilities": chat(
        choice(message(TEXT), logprobs={"content": token_entries(TEXT), "refusal": None})
    ),
}
RESPONSES = {
    "text": response(response_message(output_text(TEXT))),
    "reasoning": response(reasoning("First.", "Then."), response_message(output_text(TEXT))),
    "calls": response(function_call(), custom_call()),
    "refusal": response(response_message({"type": "refusal", "refusal": "I cannot."})),
    "cited": response(
        response_message(
            output_text(
                TEXT,
                annotations=[
                    {
                        "type": "url_citation",
                        "start_index": 0,
                        "end_index": 5,
                        "title": "T",
                        "url": "https://example.com",
                    }
                ],
            )
        )
    ),
}


@asynccontextmanager
async def answered(data: bytes) -> AsyncIterator[AsyncOpenAI]:
    """An SDK's client whose every request is answered with this stream."""

    async def stream() -> AsyncIterator[bytes]:
        yield data

    def answer(request: httpx2.Request) -> httpx2.Response:
        headers = {"content-type": "text/event-stream"}
        return httpx2.Response(200, headers=headers, content=stream())

    transport = httpx2.MockTransport(answer)
    async with httpx2.AsyncClient(transport=transport) as client:
        yield AsyncOpenAI(api_key="none", http_client=client, max_retries=0)


def told(operation: Operation, body: Fields) -> bytes:
    frames = unfold(operation, json.dumps(body).encode(), include_usage=True)
    return b"".join(each.frame for each in frames)


def without_empty(value: Any) -> Any:
    """A value without members that say nothing: SDKs differ from bodies in those."""
    if isinstance(value, dict):
        members = {name: without_empty(each) for name, each in value.items()}
        return {name: each for name, each in members.items() if each not in (None, [], {})}
    return [without_empty(each) for each in value] if isinstance(value, list) else value


async def accumulated(data: bytes, *, tools: bool = False) -> Any:
    """What the helper for streams of chats makes of one; and what it told on the way."""
    given: Any = {"tools": [WEATHER]} if tools else {}
    events = []
    async with (
        answered(data) as client,
        client.chat.completions.stream(model="m", messages=[], **given) as stream,
    ):
        events = [event.type async for event in stream]
        return await stream.get_final_completion(), events


@pytest.mark.parametrize("name", CHATS)
async def test_the_helper_accumulates_a_chat_to_the_body(name: str) -> None:
    """All that the body says, as if it had not been streamed."""
    body = CHATS[name]
    final, events = await accumulated(told(Operation.CHAT_COMPLETIONS, body))
    seen = without_empty(json.loads(final.model_dump_json(exclude_unset=True)))
    for each in seen["choices"]:
        for one in each["message"].get("tool_calls", ()):
            one.pop("index", None)  # the helper leaves it in
            one["function"].pop("parsed_arguments", None)
    expected = without_empty(body)
    expected.pop("prompt_filter_results", None)  # the helper skips chunks without identity
    for each in expected["choices"]:
        each.pop("content_filter_results", None)  # it keeps the first chunk's, which are empty
    assert seen == expected
    assert ("content.done" in events) == any(each["message"]["content"] for each in body["choices"])


async def test_the_helper_parses_calls_of_tools_that_it_knows() -> None:
    """Every event of a call comes, and its arguments are read."""
    data = told(Operation.CHAT_COMPLETIONS, CHATS["calls"])
    final, events = await accumulated(data, tools=True)
    assert final.choices[0].message.tool_calls[0].function.parsed_arguments == {"city": "Oslo"}
    assert events.count("tool_calls.function.arguments.done") == 2
    assert events.count("tool_calls.function.arguments.delta") > 4


@pytest.mark.parametrize("name", ["chat_usage", "chat_tools", "chat_unicode", "chat_quoting"])
async def test_a_recorded_chat_and_the_one_told_again_are_the_same(name: str) -> None:
    """For the helper, which is how most applications read streams."""
    data = recording(name).data
    body = fold(Operation.CHAT_COMPLETIONS, data)
    assert isinstance(body, bytes)
    first, _ = await accumulated(data)
    second, _ = await accumulated(told(Operation.CHAT_COMPLETIONS, json.loads(body)))
    dumps = [json.loads(each.model_dump_json(exclude_unset=True)) for each in (first, second)]
    for dump in dumps:
        dump["choices"][0].pop("content_filter_results", None)  # the helper keeps the first chunk's
    assert without_empty(dumps[0]) == without_empty(dumps[1])


async def test_chunks_are_what_the_sdk_expects() -> None:
    """Read one by one: types, one index per choice, usage in the last one alone."""
    async with answered(told(Operation.CHAT_COMPLETIONS, CHATS["two choices"])) as client:
        stream = await client.chat.completions.create(model="m", messages=[], stream=True)
        chunks = [chunk async for chunk in stream]
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert [chunk.usage is None for chunk in chunks] == [True] * (len(chunks) - 1) + [False]
    assert [each.index for chunk in chunks[:4] for each in chunk.choices] == [0, 1, 0, 1]
    assert [chunk.choices[0].delta.role for chunk in chunks[:2]] == ["assistant", "assistant"]


async def test_completions_are_told() -> None:
    """Pieces of text, and a last one that says why it ends."""
    async with answered(told(Operation.COMPLETIONS, completion(TEXT, "length"))) as client:
        stream = await client.completions.create(model="m", prompt="p", stream=True)
        chunks = [chunk async for chunk in stream]
    assert "".join(each.text for chunk in chunks for each in chunk.choices) == TEXT
    assert [each.finish_reason for chunk in chunks for each in chunk.choices][-1] == "length"
    assert len(chunks) > 5


@pytest.mark.parametrize("name", RESPONSES)
async def test_the_helper_accumulates_a_response_to_the_body(name: str) -> None:
    """And its own checks of order and identity pass."""
    body = RESPONSES[name]
    async with (
        answered(told(Operation.RESPONSES, body)) as client,
        client.responses.stream(model="m", input="i") as stream,
    ):
        events = [event async for event in stream]
        final = await stream.get_final_response()
    seen = json.loads(final.model_dump_json(exclude_unset=True))
    for item in seen["output"]:
        item.pop("parsed_arguments", None)
        for part in item.get("content") or ():
            part.pop("parsed", None)
    assert without_empty(seen) == without_empty(body)
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == final.output_text


async def test_a_cut_response_ends_as_incomplete() -> None:
    """Its last event is the one that says so."""
    details = {"reason": "max_output_tokens"}
    body = response(status="incomplete", incomplete_details=details)
    async with answered(told(Operation.RESPONSES, body)) as client:
        stream = await client.responses.create(model="m", input="i", stream=True)
        kinds = [event.type async for event in stream]
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.incomplete"


async def test_every_event_is_one_that_the_sdk_has_a_type_for() -> None:
    """With all the members that the type asks for."""
    body = response(reasoning("First.", content="Thought."), function_call(), custom_call())
    for each in (body, *RESPONSES.values()):
        async with answered(told(Operation.RESPONSES, each)) as client:
            stream = await client.responses.create(model="m", input="i", stream=True)
            async for event in stream:
                type(event).model_validate(event.model_dump(mode="json"))


def test_bodies_of_these_tests_are_what_the_sdk_takes_for_answers() -> None:
    """Or the tests above would prove little."""
    for body in CHATS.values():
        ChatCompletion.model_validate(body)
    for body in RESPONSES.values():
        Response.model_validate(body)
