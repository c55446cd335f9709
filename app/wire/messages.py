"""Prompt and answer in the form that OpenTelemetry has for messages, redacted and cut.

The form is that of `gen_ai.input.messages` and `gen_ai.output.messages` (semantic conventions
1.41.1): roles, and parts of types `text`, `tool_call` and `tool_call_response`. Of images, files
and sounds only the kind is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from app.domain.call.request import InferenceRequest, Operation
from app.domain.tracing.redaction import CUT, redacted_start
from app.domain.tracing.said import Content
from app.wire.answer_edges import AnswerEdges
from app.wire.relayed import RelayedText

Json = dict[str, Any]

#: Of names, ids and roles, which callers choose, too.
_MOST_NAME: Final = 128
#: Of parts, what somebody wrote.
_TEXTS: Final = ("content", "arguments", "response")


def content_of(
    request: InferenceRequest, edges: AnswerEdges, relayed: RelayedText, most_chars: int
) -> Content:
    """What was asked and answered; each of both has `most_chars` characters of text at most.

    Where there is more, the latest messages are kept. Never raises; what cannot be read is empty.
    """
    asked = list(_asked(request))
    answered = list(_answered(edges.body)) or _streamed(relayed, edges)
    return Content(_encoded(asked, most_chars), _encoded(answered, most_chars))


def _encoded(messages: list[Json], most_chars: int) -> str:
    """As JSON; empty where there are none."""
    budget, kept = _Budget(most_chars), list[Json]()
    for message in reversed(messages):
        if budget.left <= 0:
            break
        parts = [budget.cut(part) for part in message["parts"]]
        if budget.left <= 0 and not any(_tells(part) for part in parts):
            break
        kept.insert(0, {**message, "parts": parts})
    return msgspec.json.encode(kept).decode() if kept else ""


def _tells(part: Json) -> bool:
    """Whether a cut has left anything of it."""
    return any(part.get(name) not in {None, "", CUT} for name in _TEXTS)


class _Budget:
    """Characters that may still be kept."""

    def __init__(self, most: int) -> None:
        self.left = most

    def cut(self, part: Json) -> Json:
        """The part with its text redacted and cut."""
        return {name: self._cut(name, value) for name, value in part.items()}

    def _cut(self, name: str, value: object) -> object:
        if name not in _TEXTS:
            return value
        said = value if isinstance(value, str) else _json(value)
        text = _encodable(redacted_start(said, max(self.left, 1)))
        self.left -= len(text)
        return text


def _asked(request: InferenceRequest) -> Iterator[Json]:
    body = _object(request.body)
    match request.operation:
        case Operation.CHAT_COMPLETIONS:
            yield from _chat(body.get("messages"))
        case Operation.RESPONSES:
            if body.get("instructions"):
                yield _message("system", _parts(body["instructions"]))
            yield from _items(body.get("input"))
        case Operation.COMPLETIONS:
            yield from _texts(body.get("prompt"))
        case Operation.EMBEDDINGS:
            yield from _texts(body.get("input"))
        case _:  # nothing is asked of a model
            pass


def _answered(data: bytes) -> Iterator[Json]:
    """Of a whole body, of whichever operation."""
    body = _object(data)
    for choice in _objects(body.get("choices")):
        message = choice.get("message")
        told = message if isinstance(message, dict) else {"content": choice.get("text")}
        yield _finished({"role": "assistant", **told}, choice.get("finish_reason"))
    yield from _items(body.get("output"))


def _finished(message: Json, reason: object) -> Json:
    found = _from_chat(message)
    return {**found, "finish_reason": _name(reason)} if reason else found


def _streamed(relayed: RelayedText, edges: AnswerEdges) -> list[Json]:
    """Of a stream the text as it was relayed, whatever calls and choices it was of."""
    text, reasons = relayed.text(), edges.facts().finish_reasons
    if not text:
        return []
    message = _message("assistant", [_text(text)])
    return [{**message, "finish_reason": reasons[0]} if reasons else message]


def _chat(messages: object) -> Iterator[Json]:
    for message in _objects(messages):
        yield _from_chat(message)


def _from_chat(message: Json) -> Json:
    role = _name(message.get("role")) or "user"
    if role == "tool":
        answer = {"type": "tool_call_response", "id": _name(message.get("tool_call_id"))}
        return _message(role, [{**answer, "response": message.get("content")}])
    parts = _parts(message.get("content")) + _parts(message.get("refusal"))
    return _message(role, parts + [_call(each) for each in _objects(message.get("tool_calls"))])


def _call(call: Json) -> Json:
    function = call.get("function")
    told = function if isinstance(function, dict) else call
    return {
        "type": "tool_call",
        "id": _name(call.get("id") or call.get("call_id")),
        "name": _name(told.get("name")),
        "arguments": told.get("arguments", ""),
    }


def _items(items: object) -> Iterator[Json]:
    """Of the Responses API: messages, calls and what they gave."""
    if isinstance(items, str):
        yield _message("user", [_text(items)])
    for item in _objects(items):
        match item.get("type", "message"):
            case "message":
                yield _message(_name(item.get("role")) or "user", _parts(item.get("content")))
            case "function_call":
                yield _message("assistant", [_call(item)])
            case "function_call_output":
                given = {"type": "tool_call_response", "id": _name(item.get("call_id"))}
                yield _message("tool", [{**given, "response": item.get("output")}])
            case kind:
                yield _message("assistant", [{"type": _name(kind)}])


def _texts(prompt: object) -> Iterator[Json]:
    texts = prompt if isinstance(prompt, list) else [prompt]
    yield from (_message("user", [_text(text)]) for text in texts if isinstance(text, str))


def _parts(content: object) -> list[Json]:
    if isinstance(content, str):
        return [_text(content)] if content else []
    return [_part(each) for each in _objects(content)]


def _part(part: Json) -> Json:
    text = part.get("text") or part.get("refusal")
    return _text(text) if isinstance(text, str) else {"type": _name(part.get("type"))}


def _text(text: str) -> Json:
    return {"type": "text", "content": text}


def _message(role: str, parts: Iterable[Json]) -> Json:
    return {"role": role, "parts": list(parts)}


def _name(value: object) -> str:
    return _encodable(redacted_start(value, _MOST_NAME)) if isinstance(value, str) else ""


def _encodable(text: str) -> str:
    """Half a character, which JSON can spell, has no place in UTF-8."""
    return text.encode("utf-8", "replace").decode()


def _json(value: object) -> str:
    return "" if value is None else msgspec.json.encode(value).decode()


def _objects(values: object) -> list[Json]:
    return [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []


def _object(data: bytes) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
