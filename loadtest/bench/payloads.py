"""What is asked and what is answered in a benchmark: the same bytes for every gateway."""

from __future__ import annotations

import json
from typing import Any, Final

#: Answered whole by the upstream that is told nothing else.
MODEL: Final = "gpt-4o"
#: Answered as a stream, whatever is asked.
STREAM_MODEL: Final = "gpt-4o-streamed"
#: What streams are asked from has this before its `/v1`.
STREAM_PREFIX: Final = "/streams"
PROMPT_TOKENS: Final = 38
COMPLETION_TOKENS: Final = 100
_TOTAL: Final = PROMPT_TOKENS + COMPLETION_TOKENS
_USAGE: Final = {
    "prompt_tokens": PROMPT_TOKENS,
    "completion_tokens": COMPLETION_TOKENS,
    "total_tokens": _TOTAL,
}
#: Every gateway may count up to this many tokens against a limit.
TOKENS: Final = _TOTAL
#: What ends a stream beside its content: the reason, the usage, `[DONE]`.
LAST_FRAMES: Final = 3
_WORDS: Final = "The sea was calm that morning, and nobody on the pier spoke of the storm. "


def chat(prompt_bytes: int = 0, *, model: str = MODEL, stream: bool = False) -> bytes:
    """A request of about 0.2 KB, or with a prompt of so many bytes of English."""
    text = "Tell me of the sea, and of those who live by it."
    if prompt_bytes:
        text = (_WORDS * (prompt_bytes // len(_WORDS) + 1))[:prompt_bytes]
    messages = [{"role": "user", "content": text}]
    asked: dict[str, Any] = {"model": model, "max_tokens": 200, "messages": messages}
    if stream:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(asked).encode()


def answer() -> bytes:
    """A whole answer of 0.8 KB."""
    message = {"role": "assistant", "content": "wave " * COMPLETION_TOKENS}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    told = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": MODEL}
    return json.dumps({**told, "choices": [choice], "usage": _USAGE}).encode()


def content_frame(number: int) -> bytes:
    """One event of a stream, about 0.2 KB, as Azure sends them."""
    delta = {"content": f" wave{number % 10}"} if number else {"role": "assistant", "content": ""}
    return _event([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}], None)


def last_frames() -> bytes:
    """What follows the content, `LAST_FRAMES` events."""
    end = _event([{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}], None)
    return end + _event([], _USAGE) + b"data: [DONE]\n\n"


def _event(choices: list[dict[str, Any]], usage: dict[str, int] | None) -> bytes:
    told = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": MODEL,
        "choices": choices,
        "usage": usage,
    }
    return b"data: " + json.dumps(told, separators=(",", ":")).encode() + b"\n\n"
