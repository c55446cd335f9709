from __future__ import annotations

import json
from typing import Any

import pytest

from app.domain.cache.entry import Bypass, Question
from app.wire.cache.question import question_of
from app.wire.openai import read_request
from app.wire.routes import match

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
USER = {"role": "user", "content": "What is the capital of France?"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {}}}


def asked(path: str, fields: dict[str, Any], salt: bytes = b"") -> Question | Bypass:
    """Responses are not stored: those that are have no question."""
    said = {"store": False} if path == RESPONSES else {}
    body = json.dumps({"model": "m", **said, **fields}).encode()
    return question_of(read_request(match("POST", path, ""), body), salt=salt)


def question(path: str, fields: dict[str, Any], salt: bytes = b"") -> Question:
    found = asked(path, fields, salt)
    assert isinstance(found, Question)
    return found


def chat(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"messages": list(messages or (USER,)), **more}


@pytest.mark.parametrize(
    ("path", "fields", "reason"),
    [
        ("/v1/completions", {"prompt": "Once upon"}, Bypass.OPERATION),
        ("/v1/embeddings", {"input": "x"}, Bypass.OPERATION),
        (CHAT, chat(tools=[FUNCTION]), Bypass.TOOLS),
        (CHAT, chat(functions=[{"name": "f"}]), Bypass.TOOLS),
        (CHAT, chat({"role": "tool", "content": "1", "tool_call_id": "c"}, USER), Bypass.TOOLS),
        (CHAT, chat({"role": "function", "name": "f", "content": "1"}, USER), Bypass.TOOLS),
        (CHAT, chat({"role": "assistant", "tool_calls": [{"id": "c"}]}, USER), Bypass.TOOLS),
        (CHAT, chat({"role": "user", "content": [IMAGE]}), Bypass.NOT_TEXT),
        (CHAT, chat({"role": "user", "content": [IMAGE]}, USER), Bypass.NOT_TEXT),
        (CHAT, chat({"role": ["user"], "content": "x"}), Bypass.TOOLS),
        (CHAT, chat({"role": "user", "content": "x", "type": {}}), Bypass.TOOLS),
        (CHAT, chat({"role": "user", "content": [{"type": ["text"]}]}), Bypass.NOT_TEXT),
        (CHAT, chat(modalities=["text", "audio"]), Bypass.NOT_TEXT),
        (CHAT, chat(USER, {"role": "assistant", "content": "Paris"}), Bypass.NO_USER_TURN),
        (CHAT, chat({"role": "user", "content": " "}), Bypass.NO_USER_TURN),
        (CHAT, {"messages": []}, Bypass.NO_USER_TURN),
        (CHAT, chat(n=2), Bypass.SEVERAL_CHOICES),
        (CHAT, chat(logprobs=True), Bypass.LOGPROBS),
        (RESPONSES, {"input": "x", "top_logprobs": 2}, Bypass.LOGPROBS),
        (
            RESPONSES,
            {"input": "x", "include": ["message.output_text.logprobs"]},
            Bypass.LOGPROBS,
        ),
        (RESPONSES, {"input": [{"type": "function_call", "call_id": "c"}]}, Bypass.TOOLS),
        (
            RESPONSES,
            {
                "input": [
                    {"role": "user", "content": [{"type": "input_image", "image_url": "data:"}]}
                ]
            },
            Bypass.NOT_TEXT,
        ),
    ],
)
def test_only_plain_text_is_compared_by_meaning(
    path: str, fields: dict[str, Any], reason: Bypass
) -> None:
    """Everything else is a question for the same request alone, and says why."""
    found = question(path, fields)
    assert found.fingerprint
    assert (found.partition, found.prompt, found.reason) == (b"", "", reason)


def test_the_last_turn_may_be_in_parts() -> None:
    """Their texts are the prompt; that there are two stays in the partition."""
    parts = [{"type": "text", "text": "What is"}, {"type": "text", "text": "this?"}]
    found = question(CHAT, chat({"role": "user", "content": parts}))
    other = question(CHAT, chat({"role": "user", "content": parts[:1]}))
    assert found.prompt == "What is\nthis?"
    assert found.partition != other.partition


def test_a_response_has_a_turn_as_text_or_as_items() -> None:
    """Instructions and earlier turns are in the partition."""
    plain = question(RESPONSES, {"input": "Hi there"})
    items = [{"role": "user", "content": [{"type": "input_text", "text": "Hi there"}]}]
    assert plain.prompt == question(RESPONSES, {"input": items}).prompt == "Hi there"
    assert plain.partition == question(RESPONSES, {"input": "Hello"}).partition
    assert plain.partition != question(RESPONSES, {"input": "Hi", "instructions": "x"}).partition
