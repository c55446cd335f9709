"""Which requests share a warm cache."""

from __future__ import annotations

import json

import pytest

from app.domain.call.request import Operation
from app.wire.cache_key import cache_key

SYSTEM = "You are a helpful assistant of the Acme company. " * 60
CHAT = Operation.CHAT_COMPLETIONS


def chat(*turns: str, system: str = SYSTEM) -> bytes:
    """A conversation so far."""
    messages = [{"role": "system", "content": system}]
    messages += [{"role": "user", "content": turn} for turn in turns]
    return json.dumps({"model": "gpt-4o", "messages": messages}).encode()


def test_the_turns_of_a_conversation_have_one_key() -> None:
    """What comes later changes nothing; another beginning does."""
    first, second = cache_key(CHAT, chat("Hi")), cache_key(CHAT, chat("Hi", "And?"))
    assert first == second != b""
    assert cache_key(CHAT, chat("Hi", system="Another. " * 300)) != first


def test_a_short_prompt_has_none() -> None:
    """Nothing of it would be cached."""
    assert cache_key(CHAT, chat("Hi", system="Be brief.")) == b""


@pytest.mark.parametrize("operation", [Operation.EMBEDDINGS, Operation.RETRIEVE_RESPONSE])
def test_what_has_no_prompt_has_none(operation: Operation) -> None:
    """Embeddings are not cached, and reading is not prompting."""
    assert cache_key(operation, chat("Hi")) == b""


def test_the_callers_own_key_decides() -> None:
    """However short the prompt is; what is no key is ignored."""
    short = chat("Hi", system="Be brief.")
    named = cache_key(CHAT, short, "team-a")
    assert named == cache_key(Operation.RESPONSES, b"{}", "team-a") != b""
    assert named != cache_key(CHAT, short, "team-b")
    assert cache_key(CHAT, short, "\ud800") != b""
    for junk in ("", 7, None, "x" * 1025, ["a"]):
        assert cache_key(CHAT, short, junk) == b""
