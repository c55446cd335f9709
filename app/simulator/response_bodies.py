"""Answers of the Responses API, whole and as streams, and the throttle that comes inside a 200.

Event order and numbering: OpenAI's specification, 2026-08. The throttled stream: recorded from
Azure's v1 surface, 2026-08.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from app.simulator.answer import Answer
from app.simulator.envelope import Envelope, Frame, Json

_ECHOED: Mapping[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}


@dataclass(frozen=True, slots=True)
class ModelResponse:
    """A response ready to be told; `asked` is the request's body."""

    envelope: Envelope
    asked: Mapping[str, Any]
    answer: Answer
    usage: Json | None

    @property
    def status(self) -> str:
        return "incomplete" if self.answer.finish == "length" else "completed"

    @property
    def item_id(self) -> str:
        prefix = "msg_" if self.answer.call is None else "fc_"
        return prefix + self.envelope.id.removeprefix("resp_")


def response_body(response: ModelResponse) -> Json:
    """The response when it has ended."""
    cut = response.status == "incomplete"
    return {
        **_skeleton(response, response.status),
        "completed_at": None if cut else response.envelope.created,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": [_item(response, response.status, response.answer.text)],
        "usage": response.usage,
    }


def unfinished_body(response: ModelResponse, status: str) -> Json:
    """The response before there is an answer: queued, in progress or cancelled."""
    return _skeleton(response, status)


def response_frames(response: ModelResponse) -> Iterator[Frame]:
    """The response as events, one token each."""
    numbers = _Numbers()
    started = {"response": _skeleton(response, "in_progress")}
    yield numbers.frame("response.created", started)
    yield numbers.frame("response.in_progress", started)
    at = {"output_index": 0}
    opened = {"item": _item(response, "in_progress", None), **at}
    yield numbers.frame("response.output_item.added", opened)
    if response.answer.call is None:
        yield from _text_frames(response, numbers)
    else:
        yield from _call_frames(response, numbers)
    closed = {"item": _item(response, response.status, response.answer.text), **at}
    yield numbers.frame("response.output_item.done", closed)
    ending = {"response": response_body(response)}
    yield numbers.frame(f"response.{response.status}", ending, last=True)


def throttled_frames(envelope: Envelope, message: str) -> Iterator[Frame]:
    """What Azure streams instead of an answer when it is over its limit."""
    numbers = _Numbers(start=1)
    failed = {
        "id": envelope.id,
        "object": "response",
        "created_at": envelope.created,
        "model": envelope.model,
        "status": "failed",
        "error": None,
        "incomplete_details": None,
        "output": [],
        "usage": None,
    }
    yield numbers.frame("response.failed", {"response": failed})
    error = {
        "type": "too_many_requests",
        "code": "rate_limit_exceeded",
        "headers": {"x-ms-fe-error": "true"},
        "message": message,
        "param": None,
    }
    yield numbers.frame("error", {"error": error}, last=True)


class _Numbers:
    """Gives events their sequence numbers."""

    def __init__(self, *, start: int = 0) -> None:
        self._next = start

    def frame(
        self, kind: str, event: Mapping[str, Any], *, tokens: int = 0, last: bool = False
    ) -> Frame:
        data = orjson.dumps({"type": kind, "sequence_number": self._next, **event})
        self._next += 1
        return Frame(b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n", tokens, last)


def _text_frames(response: ModelResponse, numbers: _Numbers) -> Iterator[Frame]:
    at = {"item_id": response.item_id, "output_index": 0, "content_index": 0}
    text = response.answer.text
    yield numbers.frame("response.content_part.added", {**at, "part": _text_part("")})
    for piece in response.answer.pieces:
        delta = {**at, "delta": piece, "logprobs": []}
        yield numbers.frame("response.output_text.delta", delta, tokens=1)
    yield numbers.frame("response.output_text.done", {**at, "text": text, "logprobs": []})
    yield numbers.frame("response.content_part.done", {**at, "part": _text_part(text)})


def _call_frames(response: ModelResponse, numbers: _Numbers) -> Iterator[Frame]:
    at = {"item_id": response.item_id, "output_index": 0}
    for piece in response.answer.pieces:
        delta = {**at, "delta": piece}
        yield numbers.frame("response.function_call_arguments.delta", delta, tokens=1)
    done = {**at, "arguments": response.answer.text, "name": response.answer.call}
    yield numbers.frame("response.function_call_arguments.done", done)


def _skeleton(response: ModelResponse, status: str) -> Json:
    echoed = {name: response.asked.get(name, usual) for name, usual in _ECHOED.items()}
    return {
        "id": response.envelope.id,
        "object": "response",
        "created_at": response.envelope.created,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": response.envelope.model,
        "output": [],
        "service_tier": "default",
        "usage": None,
        **echoed,
    }


def _item(response: ModelResponse, status: str, text: str | None) -> Json:
    """The one output item; `text` is None before it has content."""
    answer = response.answer
    if answer.call is not None:
        return {
            "id": response.item_id,
            "type": "function_call",
            "status": status,
            "call_id": response.item_id.replace("fc_", "call_", 1),
            "name": answer.call,
            "arguments": text or "",
        }
    return {
        "id": response.item_id,
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": [] if text is None else [_text_part(text)],
    }


def _text_part(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
