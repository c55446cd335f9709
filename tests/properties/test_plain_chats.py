"""A chat that is read in one go is read as it would be field by field."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from app.domain.call.request import InferenceRequest
from app.errors import MalformedRequest
from app.wire.openai import read_request
from app.wire.plain_chat import plain_chat
from app.wire.routes import match

CHAT = match("POST", "/v1/chat/completions", "")
OF_A_DEPLOYMENT = match("POST", "/openai/deployments/gpt-4o/chat/completions", "")
#: It says nothing, and is not in a plain chat.
ODD: dict[str, Any] = {"audio": {}}

counts = st.sampled_from([None, 0, 1, 7, -3, True, 5.0, 2.5, 1e300, 2**53, 2**63, 2**70, "5"])
flags = st.sampled_from([None, True, False, 0, "true"])
named = st.sampled_from([{"file_id": "f"}, {"container": "c_1"}, {"name": "n"}, {"id": "i"}])
words = st.sampled_from(["", "Hi", None, 7, [], [{"type": "text", "text": "Hi"}]])
parts = st.builds(lambda one, more: [{"type": "text", "text": "Hi", **one}, more], named, named)
calls = st.builds(
    lambda one, more: [{"id": "c", "type": "function", "function": {"name": "f", **one}, **more}],
    st.sampled_from([{"arguments": "{}"}, {"arguments": {"file_id": "f"}}, {}]),
    st.just({}) | named,
)
messages = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "tool", 3])},
    optional={
        "content": words | parts,
        "name": words,
        "tool_calls": calls | words,
        "tool_call_id": words,
        "audio": st.none() | named,
        "container": words,
    },
)
chats: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"messages": st.lists(messages | st.text(max_size=2), max_size=3) | words},
    optional={
        "model": st.sampled_from(["gpt-4o", "", None, 4, "m" * 256, "ü" * 256, "m" * 257]),
        "stream": flags,
        "stream_options": flags | st.builds(lambda asked: {"include_usage": asked}, flags),
        "max_tokens": counts,
        "max_completion_tokens": counts,
        "max_output_tokens": counts,
        "n": counts,
        "best_of": counts,
        "prompt_cache_key": words,
        "data_sources": st.sampled_from([None, [], [{}]]),
        "store": flags,
    },
)


def read(fields: dict[str, Any], route: Any = CHAT) -> InferenceRequest | tuple[str, str | None]:
    """The request without its body, or what it is refused for."""
    try:
        request = read_request(route, json.dumps(fields).encode())
    except MalformedRequest as error:
        return error.code, error.param
    return msgspec.structs.replace(request, body=b"")


@given(fields=chats, route=st.sampled_from([CHAT, OF_A_DEPLOYMENT]))
def test_both_ways_of_reading_say_the_same(fields: dict[str, Any], route: Any) -> None:
    """Whatever the fields are, right or wrong."""
    assert plain_chat({**fields, **ODD}) is None
    assert read(fields, route) == read({**fields, **ODD}, route)
