"""Bodies and streams as upstreams write them, in each API's form."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from app.domain.call.request import InferenceRequest, Operation

Usage = tuple[int, int]  # tokens in, tokens out
END = b"data: [DONE]\n\n"


def completion(text: str, usage: Usage | None, answer_id: str) -> bytes:
    """A whole answer of the chat form; other forms differ in nothing that is read here."""
    said = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": said, "finish_reason": "stop"}
    body: dict[str, Any] = {"id": answer_id, "choices": [choice]}
    if usage is not None:
        body["usage"] = _counts(usage)
    return json.dumps(body).encode()


def refusal(code: str | None, message: str) -> bytes:
    """An error object."""
    return json.dumps({"error": {"code": code, "message": message}}).encode()


def frames(request: InferenceRequest, words: Sequence[str], usage: Usage | None) -> list[bytes]:
    """A whole stream in the form of the request's API; its usage only where it was asked for."""
    if request.operation is Operation.RESPONSES:
        return _response_events(words, usage)
    asked = request.wants_usage or request.adds_usage
    return _chunks(request, words, usage if asked else None)


def _chunks(request: InferenceRequest, words: Sequence[str], usage: Usage | None) -> list[bytes]:
    is_chat = request.operation is Operation.CHAT_COMPLETIONS
    says = [{"delta": {"content": word}} if is_chat else {"text": word} for word in words]
    opening = [{"delta": {"role": "assistant", "content": ""}}] if is_chat else []
    choices = [*opening, *says, {"delta": {}, "finish_reason": "stop"}]
    stream = [_data({"choices": [{"index": 0, **choice}], "usage": None}) for choice in choices]
    if usage is not None:
        stream.append(_data({"choices": [], "usage": _counts(usage)}))
    return [*stream, END]


def _response_events(words: Sequence[str], usage: Usage | None) -> list[bytes]:
    response: dict[str, Any] = {"id": "resp_1", "status": "in_progress", "usage": None}
    read, made = usage or (0, 0)
    completed = {**response, "status": "completed"}
    if usage is not None:
        completed["usage"] = {"input_tokens": read, "output_tokens": made}
    return [
        _event("response.created", response=response),
        _event("response.in_progress", response=response),
        *(_event("response.output_text.delta", delta=word) for word in words),
        _event("response.completed", response=completed),
    ]


def _event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\n".encode() + _data({"type": kind, **fields})


def _data(fields: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def _counts(usage: Usage) -> dict[str, int]:
    read, made = usage
    return {"prompt_tokens": read, "completion_tokens": made, "total_tokens": read + made}
