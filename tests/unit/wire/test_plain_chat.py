"""A chat that is read in one go."""

from __future__ import annotations

from typing import Any

import pytest

from app.wire.plain_chat import plain_chat

CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
SAID: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Hi"}], "name": "jo"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "content": "3", "tool_call_id": "c"},
]
CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": SAID}


def test_most_chats_are_plain() -> None:
    """Words, parts that are words, and calls of functions; other fields do not matter."""
    chat = plain_chat({**CHAT, "temperature": 1, "tools": [{"type": "function"}]})
    assert chat is not None
    assert (chat.model, chat.stream, chat.n, chat.output_cap()) == ("gpt-4o", None, 1, None)


@pytest.mark.parametrize(
    "more",
    [
        {"messages": [{**SAID[0], "file_id": "f"}]},
        {"messages": [{**SAID[0], "audio": {"id": "a"}}]},
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
        {"audio": {"voice": {"id": "v"}}},
        {"data_sources": [{}]},
        {"model": ""},
        {"stream": "true"},
    ],
    ids=str,
)
def test_what_may_name_what_is_stored_or_is_wrong_is_not(more: dict[str, Any]) -> None:
    """It is read field by field."""
    assert plain_chat({**CHAT, **more}) is None


def test_the_largest_cap_counts() -> None:
    """However it is called."""
    chat = plain_chat({**CHAT, "max_tokens": 5, "max_completion_tokens": 9, "n": 2})
    assert chat is not None
    assert (chat.output_cap(), chat.n) == (9, 2)
