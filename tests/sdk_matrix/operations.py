"""What is asked of the SDK: one function per operation, the same for its sync and async classes.

Needs the `openai` package and the standard library only, in every version that the matrix names.
An operation gives whatever it got as plain values; exceptions of the SDK are the result of those
whose name begins with `errors.`.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from tests.sdk_matrix.inputs import (
    IMAGE,
    JSON_FORMAT,
    LONG,
    NO_RESPONSE,
    QUESTION,
    RESPONSE_TOOLS,
    SHORT,
    TEXT_FORMAT,
    TOOLS,
    UNKNOWN,
    USAGE,
)

Operation = Callable[["Side"], Awaitable[Any]]


class Points(BaseModel):
    """What the parsing helpers parse into."""

    title: str
    points: int


@dataclass(frozen=True, slots=True)
class Side:
    """One way to the upstream: a client per target, and what each target's model is called."""

    clients: Mapping[str, Any]
    models: Mapping[str, str]

    def chat(self, content: Any = QUESTION, target: str = "chat", **options: Any) -> Any:
        """A chat completion, or its stream; awaitable on async classes."""
        messages = [{"role": "user", "content": content}]
        call = {"model": self.models[target], "messages": messages} | SHORT | options
        return self.clients[target].chat.completions.create(**call)

    def complete(self, **options: Any) -> Any:
        """A legacy completion."""
        call = {"model": self.models["chat"], "prompt": QUESTION} | SHORT | options
        return self.clients["chat"].completions.create(**call)

    def embed(self, content: Any = QUESTION, **options: Any) -> Any:
        """Embeddings."""
        call = {"model": self.models["embeddings"], "input": content} | options
        return self.clients["embeddings"].embeddings.create(**call)

    def respond(self, content: Any = QUESTION, target: str = "chat", **options: Any) -> Any:
        """A response."""
        call = {"model": self.models[target], "input": content, "max_output_tokens": 24} | options
        return self.clients[target].responses.create(**call)


async def settled(value: Any) -> Any:
    """A result of either kind of client: awaited where it has to be."""
    return await value if inspect.isawaitable(value) else value


async def items(stream: Any) -> list[Any]:
    """Everything that a stream of either kind of client gives."""
    if isinstance(stream, AsyncIterable):
        return [item async for item in stream]
    assert isinstance(stream, Iterable)
    return list(stream)


def plain(value: Any) -> Any:
    """Models of the SDK as the values that JSON has."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


async def got(value: Any) -> Any:
    """One object, with the id that the SDK found in the headers."""
    settled_value = await settled(value)
    has_id = bool(getattr(settled_value, "_request_id", None))
    return {"value": plain(settled_value), "has_request_id": has_id}


async def streamed(value: Any) -> Any:
    """All events of a stream."""
    return plain(await items(await settled(value)))


# --- chat completions ---------------------------------------------------------------------------


async def chat_parsed(do: Side) -> Any:
    """The helper that parses what came into a model."""
    client, model = do.clients["chat"], do.models["chat"]
    messages = [{"role": "user", "content": QUESTION}]
    call = client.chat.completions.parse(model=model, messages=messages, response_format=Points)
    return await got(call)


async def chat_helper(do: Side) -> Any:
    """The helper that accumulates a stream."""
    client, model = do.clients["chat"], do.models["chat"]
    messages = [{"role": "user", "content": QUESTION}]
    manager = client.chat.completions.stream(model=model, messages=messages, max_tokens=60)
    return await _helped(manager, "get_final_completion")


async def chat_raw(do: Side) -> Any:
    """Status and headers, and the object parsed out of the raw response."""
    client, model = do.clients["chat"], do.models["chat"]
    messages = [{"role": "user", "content": QUESTION}]
    call = client.chat.completions.with_raw_response.create(model=model, messages=messages, **SHORT)
    raw = await settled(call)
    return _outside(raw) | {"value": plain(await settled(raw.parse()))}


async def chat_lines(do: Side) -> Any:
    """The lines of a stream as they come: nothing between the SDK and the wire."""
    client, model = do.clients["chat"], do.models["chat"]
    messages = [{"role": "user", "content": QUESTION}]
    manager = client.chat.completions.with_streaming_response.create(
        model=model, messages=messages, stream=True, stream_options={"include_usage": True}, **SHORT
    )
    if hasattr(manager, "__aenter__"):
        async with manager as raw:
            return _outside(raw) | {"lines": _decoded(await items(raw.iter_lines()))}
    with manager as raw:
        return _outside(raw) | {"lines": _decoded(await items(raw.iter_lines()))}


async def _helped(manager: Any, final: str) -> Any:
    """The events and the accumulated end of a stream helper."""
    if hasattr(manager, "__aenter__"):
        async with manager as stream:
            events = await items(stream)
            return {"events": plain(events), "final": plain(await getattr(stream, final)())}
    with manager as stream:
        events = await items(stream)
        return {"events": plain(events), "final": plain(getattr(stream, final)())}


def _outside(raw: Any) -> dict[str, Any]:
    """What every answer must carry outside its body."""
    return {
        "status_code": raw.status_code,
        "content_type": raw.headers.get("content-type"),
        "has_request_id": bool(raw.headers.get("x-request-id")),
    }


def _decoded(lines: list[str]) -> list[Any]:
    """Lines with their JSON read, so that ids in it can be told from content."""
    head = "data: {"
    return [json.loads(line[6:]) if line.startswith(head) else line for line in lines]


# --- responses ----------------------------------------------------------------------------------


async def response_helper(do: Side) -> Any:
    """The helper that insists on a complete stream."""
    client, model = do.clients["chat"], do.models["chat"]
    manager = client.responses.stream(model=model, input=QUESTION, max_output_tokens=60)
    return await _helped(manager, "get_final_response")


async def response_parsed(do: Side) -> Any:
    """The helper that parses what came into a model."""
    client, model = do.clients["chat"], do.models["chat"]
    return await got(client.responses.parse(model=model, input=QUESTION, text_format=Points))


async def response_raw(do: Side) -> Any:
    """Status and headers of a response."""
    client, model = do.clients["chat"], do.models["chat"]
    raw = await settled(client.responses.with_raw_response.create(model=model, input=QUESTION))
    return _outside(raw) | {"value": plain(await settled(raw.parse()))}


async def response_retrieved(do: Side) -> Any:
    """A stored response, and what went into it."""
    made = await settled(do.respond())
    api = do.clients["chat"].responses
    page = await settled(api.input_items.list(made.id))
    return [plain(made), await got(api.retrieve(made.id)), plain(page.data)]


async def response_streamed_then_retrieved(do: Side) -> Any:
    """A response that was streamed is stored, too."""
    events = await items(await settled(do.respond(stream=True)))
    return await got(do.clients["chat"].responses.retrieve(events[0].response.id))


async def response_continued(do: Side) -> Any:
    """A second turn on top of a stored one, whole and streamed."""
    first = await settled(do.respond())
    second = await settled(do.respond("And at night?", previous_response_id=first.id))
    third = do.respond("And at dawn?", previous_response_id=second.id, stream=True)
    return [plain(first), plain(second), await streamed(third)]


async def response_deleted(do: Side) -> Any:
    """Deleting works once, and then there is nothing to retrieve."""
    made = await settled(do.respond())
    api = do.clients["chat"].responses
    deleted = await settled(api.delete(made.id))
    again = await failure(api.retrieve, made.id)
    return [plain(deleted), again]


async def response_cancelled(do: Side) -> Any:
    """What runs in the background is queued, then cancelled."""
    made = await settled(do.respond(target="slow", background=True))
    api = do.clients["slow"].responses
    cancelled = await settled(api.cancel(made.id))
    return [plain(made), plain(cancelled), await got(api.retrieve(made.id))]


async def response_background(do: Side) -> Any:
    """What ran in the background can be fetched when it is done."""
    made = await settled(do.respond(background=True))
    return [plain(made), await got(do.clients["chat"].responses.retrieve(made.id))]


async def cancel_synchronous(do: Side) -> Any:
    """A response that does not run in the background cannot be cancelled."""
    made = await settled(do.respond())
    return await settled(do.clients["chat"].responses.cancel(made.id))


# --- models -------------------------------------------------------------------------------------


async def models(do: Side) -> Any:
    """The list differs (the gateway's names, the upstream's models); its shape may not."""
    page = await settled(do.clients["chat"].models.list())
    entries = {_model_shape(entry) for entry in page.data}
    return {
        "type": type(page).__name__,
        "object": page.object,
        "entries": sorted(entries),
        "has_mine": do.models["chat"] in [entry.id for entry in page.data],
    }


async def model(do: Side) -> Any:
    """One model by its name."""
    entry = await settled(do.clients["chat"].models.retrieve(do.models["chat"]))
    return {
        "name": entry.id,
        "shape": _model_shape(entry),
        "has_request_id": bool(getattr(entry, "_request_id", None)),
    }


def _model_shape(entry: Any) -> str:
    """The SDK's own fields of an entry with their types; Azure adds fields of its own."""
    fields = {name: type(getattr(entry, name)).__name__ for name in type(entry).model_fields}
    return json.dumps({"type": type(entry).__name__, **fields})


# --- errors -------------------------------------------------------------------------------------


async def failure(call: Callable[..., Any], *arguments: Any) -> Any:
    """What the SDK makes of a refusal."""
    try:
        await settled(call(*arguments))
    except Exception as error:  # noqa: BLE001  # whatever it is, it is the result
        return described(error)
    return {"error": None}


def described(error: Exception) -> dict[str, Any]:
    """An exception as its class and what callers read from it."""
    shown: dict[str, Any] = {"error": type(error).__name__}
    if not type(error).__module__.startswith("openai"):
        return shown | {"crash": str(error)}
    names = ("status_code", "code", "param", "type", "body")
    shown |= {name: getattr(error, name, None) for name in names}
    return shown | {"has_request_id": bool(getattr(error, "request_id", None))}


def _with_wrong_key(client: Any) -> Any:
    return client.with_options(api_key="a-key-that-nobody-has")


async def wrong_key(do: Side) -> Any:
    """Chat with a key that is not one."""
    client = _with_wrong_key(do.clients["chat"])
    messages = [{"role": "user", "content": QUESTION}]
    return await settled(client.chat.completions.create(model=do.models["chat"], messages=messages))


async def wrong_key_for_models(do: Side) -> Any:
    """The models list with a key that is not one."""
    return await settled(_with_wrong_key(do.clients["chat"]).models.list())


async def not_for_embeddings(do: Side) -> Any:
    """Embeddings of a chat model; the upstream says that it has none."""
    client, model = do.clients["chat"], do.models["chat"]
    return await settled(client.embeddings.create(model=model, input=QUESTION))


OPERATIONS: Final[dict[str, Operation]] = {
    "chat": lambda do: got(do.chat()),
    "chat.stream": lambda do: streamed(do.chat(stream=True)),
    "chat.stream.usage": lambda do: streamed(do.chat(**USAGE)),
    "chat.stream.lines": chat_lines,
    "chat.stream.helper": chat_helper,
    "chat.n": lambda do: got(do.chat(n=2)),
    "chat.n.stream": lambda do: streamed(do.chat(n=2, stream=True)),
    "chat.tools": lambda do: got(do.chat(**TOOLS)),
    "chat.tools.stream": lambda do: streamed(do.chat(stream=True, **TOOLS)),
    "chat.json_schema": lambda do: got(do.chat(**JSON_FORMAT)),
    "chat.json_schema.stream": lambda do: streamed(do.chat(stream=True, **JSON_FORMAT)),
    "chat.parse": chat_parsed,
    "chat.logprobs": lambda do: got(do.chat(logprobs=True, top_logprobs=2)),
    "chat.logprobs.stream": lambda do: streamed(do.chat(logprobs=True, stream=True)),
    "chat.image": lambda do: got(do.chat(IMAGE)),
    "chat.image.stream": lambda do: streamed(do.chat(IMAGE, stream=True)),
    "chat.async_filter.stream": lambda do: streamed(do.chat("[[async_filter]]", stream=True)),
    "chat.raw_response": chat_raw,
    "completions": lambda do: got(do.complete()),
    "completions.stream": lambda do: streamed(do.complete(stream=True)),
    "completions.many": lambda do: got(do.complete(prompt=["One", "Two"], n=2, logprobs=1)),
    "embeddings": lambda do: got(do.embed()),
    "embeddings.float": lambda do: got(do.embed(encoding_format="float", dimensions=64)),
    "embeddings.base64": lambda do: got(do.embed(encoding_format="base64", dimensions=64)),
    "embeddings.many": lambda do: got(do.embed(["One", "Two", "Three"])),
    "embeddings.tokens": lambda do: got(do.embed([[1, 2, 3], [4, 5]])),
    "responses": lambda do: got(do.respond()),
    "responses.stream": lambda do: streamed(do.respond(stream=True)),
    "responses.stream.helper": response_helper,
    "responses.tools": lambda do: got(do.respond(**RESPONSE_TOOLS)),
    "responses.tools.stream": lambda do: streamed(do.respond(stream=True, **RESPONSE_TOOLS)),
    "responses.json_schema": lambda do: got(do.respond(**TEXT_FORMAT)),
    "responses.parse": response_parsed,
    "responses.not_stored": lambda do: got(do.respond(store=False)),
    "responses.raw_response": response_raw,
    "responses.retrieve": response_retrieved,
    "responses.stream.retrieve": response_streamed_then_retrieved,
    "responses.previous": response_continued,
    "responses.delete": response_deleted,
    "responses.background": response_background,
    "responses.cancel": response_cancelled,
    "models": models,
    "models.retrieve": model,
    "errors.unknown_model.chat": lambda do: got(do.chat(**UNKNOWN)),
    "errors.unknown_model.chat.stream": lambda do: streamed(do.chat(stream=True, **UNKNOWN)),
    "errors.unknown_model.embeddings": lambda do: got(do.embed(**UNKNOWN)),
    "errors.unknown_model.responses": lambda do: got(do.respond(**UNKNOWN)),
    "errors.unknown_model.retrieve": lambda do: got(
        do.clients["chat"].models.retrieve("no-such-model")
    ),
    "errors.content_filter.chat": lambda do: got(do.chat("[[content_filter]]")),
    "errors.content_filter.stream": lambda do: streamed(do.chat("[[content_filter]]", stream=True)),
    "errors.content_filter.responses": lambda do: got(do.respond("[[content_filter]]")),
    "errors.content_filter.newer": lambda do: got(do.chat("[[content_filter_alt]]")),
    "errors.too_long.chat": lambda do: got(do.chat(LONG, "small")),
    "errors.too_long.stream": lambda do: streamed(do.chat(LONG, "small", stream=True)),
    "errors.too_long.responses": lambda do: got(do.respond(LONG, "small")),
    "errors.wrong_key.chat": wrong_key,
    "errors.wrong_key.models": wrong_key_for_models,
    "errors.previous_response_not_found": lambda do: got(
        do.respond(previous_response_id=NO_RESPONSE)
    ),
    "errors.response_not_found": lambda do: got(do.clients["chat"].responses.retrieve(NO_RESPONSE)),
    "errors.cancel_synchronous": cancel_synchronous,
    "errors.no_messages": lambda do: got(do.chat(messages=[])),
    "errors.max_tokens_zero": lambda do: got(do.chat(max_tokens=0)),
    "errors.max_tokens_text": lambda do: got(do.chat(max_tokens="many")),
    "errors.not_supported": not_for_embeddings,
}
