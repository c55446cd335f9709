"""What whole answers say."""

from __future__ import annotations

import json

import pytest

from app.domain.call.request import Operation
from app.wire.cache.answer_text import text_of
from tests.fakes.answers import completion
from tests.fakes.entries import BODY

RESPONSE = {
    "output": [
        {"type": "reasoning", "summary": []},
        {"type": "message", "content": [{"type": "output_text", "text": "Paris"}]},
        {"type": "message", "content": [{"type": "output_text", "text": "it is"}]},
    ]
}


def test_a_chats_text() -> None:
    """Of its message."""
    assert text_of(Operation.CHAT_COMPLETIONS, BODY) == "Paris is the capital of France."
    assert text_of(Operation.CHAT_COMPLETIONS, completion(" Paris\n", (1, 1), "a")) == "Paris"


def test_a_responses_text() -> None:
    """Of all its messages, nothing of its reasoning."""
    assert text_of(Operation.RESPONSES, json.dumps(RESPONSE).encode()) == "Paris\nit is"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"{}", b'{"choices":[{"message":null}]}', b"\xff"]
)
def test_what_says_nothing(body: bytes) -> None:
    """Of either form; and an embedding has no text."""
    assert text_of(Operation.CHAT_COMPLETIONS, body) is None
    assert text_of(Operation.RESPONSES, body) is None
    assert text_of(Operation.EMBEDDINGS, BODY) is None
