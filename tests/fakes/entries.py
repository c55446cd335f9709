"""Entries of the cache, as plain as they can be."""

from __future__ import annotations

from typing import Any

from app.domain.cache.entry import Entry, Question
from app.domain.call.request import Operation
from app.domain.quota.usage import Usage

BODY = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{'
    b'"index":0,"message":{"role":"assistant","content":"Paris is the capital of France."},'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":7,"total_tokens":17}}'
)


def an_entry(**fields: Any) -> Entry:
    """One with these fields, and the usual others."""
    usual: dict[str, Any] = {
        "question": Question(b"f" * 16),
        "operation": Operation.CHAT_COMPLETIONS,
        "model": "gpt-4o",
        "request_id": "req_before",
        "stored_at": 1_790_000_000.0,
        "body": BODY,
        "usage": Usage(input=10, output=7),
        "nano_usd": 700,
        "seconds": 1.5,
        "deployment": "ptu",
    }
    return Entry(**usual | fields)
