from __future__ import annotations

import json
from time import process_time
from typing import Any

import pytest

from app.domain.cache.entry import DIGEST_BYTES, Bypass, Question
from app.wire.cache.question import question_of
from app.wire.openai import read_request
from app.wire.routes import match

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
USER = {"role": "user", "content": "What is the capital of France?"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def asked(path: str, fields: dict[str, Any], salt: bytes = b"") -> Question | Bypass:
    """What is not said of storing is not stored: other responses have no question."""
    said = {"store": False} if path == RESPONSES else {}
    body = json.dumps({"model": "m", **said, **fields}).encode()
    return question_of(read_request(match("POST", path, ""), body), salt=salt)


def question(path: str, fields: dict[str, Any], salt: bytes = b"") -> Question:
    found = asked(path, fields, salt)
    assert isinstance(found, Question)
    return found


def chat(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"messages": list(messages or (USER,)), **more}


def test_a_plain_chat_has_both_digests_and_its_last_turn() -> None:
    """What the stage needs for both caches."""
    found = question(CHAT, chat({"role": "system", "content": "Be brief."}, USER, temperature=0.5))
    assert len(found.fingerprint) == len(found.partition) == DIGEST_BYTES
    assert found.fingerprint != found.partition
    assert found.prompt == USER["content"]
    assert found.reason == ""
    assert found.temperature == 0.5


def test_the_model_counts_wherever_it_is_named() -> None:
    """A deployment's URL or the body: the same name is the same question."""
    body = json.dumps(chat(model="m")).encode()
    by_url = read_request(match("POST", "/openai/deployments/m/chat/completions", ""), body)
    other = read_request(match("POST", "/openai/deployments/n/chat/completions", ""), body)
    both = json.dumps(chat(model="m")).encode().replace(b'"m"', b'"ignored"')
    ignored = read_request(match("POST", "/openai/deployments/m/chat/completions", ""), both)
    assert question_of(by_url) == question_of(ignored) == question(CHAT, chat())
    assert question_of(other) != question(CHAT, chat())


def test_what_is_forwarded_of_the_query_counts() -> None:
    """It may be a parameter; the version is none of it."""
    body = json.dumps(chat(model="m")).encode()
    plain = question(CHAT, chat())
    versioned = read_request(match("POST", CHAT, "api-version=2024-10-21"), body)
    other = read_request(match("POST", CHAT, "mode=x"), body)
    assert question_of(versioned) == plain
    assert question_of(other) != plain


def test_salt_and_operation_count() -> None:
    """Another base model behind the name, or another API, answers otherwise."""
    fields = {"prompt": "x", "input": "x"}
    plain = question("/v1/completions", fields).fingerprint
    assert question("/v1/completions", fields, b"gpt-4o").fingerprint != plain
    assert question("/v1/embeddings", fields).fingerprint != plain


@pytest.mark.parametrize(
    ("path", "fields", "reason"),
    [
        (RESPONSES, {"input": "x", "background": True}, Bypass.BACKGROUND),
        (RESPONSES, {"input": "x", "previous_response_id": "resp_1"}, Bypass.STORED),
        (RESPONSES, {"input": "x", "store": True}, Bypass.STORED),
        (RESPONSES, {"input": "x", "store": None}, Bypass.STORED),
        (RESPONSES, {"input": [{"type": "item_reference", "id": "msg_1"}]}, Bypass.STORED),
        (RESPONSES, {"input": "x", "tools": [{"type": "web_search"}]}, Bypass.HOSTED_TOOLS),
        (RESPONSES, {"input": "x", "tools": [{"type": "mcp"}]}, Bypass.HOSTED_TOOLS),
        (RESPONSES, {"input": "x", "tools": [{"type": "of_tomorrow"}]}, Bypass.HOSTED_TOOLS),
        (RESPONSES, {"input": "x", "tools": "all"}, Bypass.HOSTED_TOOLS),
        (CHAT, chat(tools=[{"type": ["function"]}]), Bypass.HOSTED_TOOLS),
        (CHAT, chat(tools=[{"type": {"a": 1}}]), Bypass.HOSTED_TOOLS),
        (CHAT, chat(web_search_options={}), Bypass.HOSTED_TOOLS),
        (
            CHAT,
            chat({"role": "user", "content": [{**IMAGE, "image_url": {"url": "https://x/y"}}]}),
            Bypass.REMOTE,
        ),
        (
            RESPONSES,
            {
                "input": [
                    {"role": "user", "content": [{"type": "input_file", "file_url": "https://x"}]}
                ]
            },
            Bypass.REMOTE,
        ),
        (
            RESPONSES,
            {
                "input": [
                    {
                        "type": "function_call_output",
                        "call_id": "c",
                        "output": [{"type": "input_image", "image_url": "https://x"}],
                    }
                ]
            },
            Bypass.REMOTE,
        ),
    ],
)
def test_what_does_not_say_all_that_it_asks_about_has_no_question(
    path: str, fields: dict[str, Any], reason: Bypass
) -> None:
    """It may be answered otherwise tomorrow, or do something beside the answer."""
    assert asked(path, fields) is reason


def test_other_operations_have_no_question() -> None:
    """They read or delete what is stored."""
    request = read_request(match("GET", "/v1/responses/resp_1", ""), b"")
    assert question_of(request) is Bypass.OPERATION


def test_a_response_is_stored_unless_it_says_otherwise() -> None:
    """By OpenAI's default. What chat files for evaluations is nobody's to ask for."""
    body = json.dumps({"model": "m", "input": "x"}).encode()
    assert question_of(read_request(match("POST", RESPONSES, ""), body)) is Bypass.STORED
    assert question(CHAT, chat(store=True)) == question(CHAT, chat())


def test_who_asks_for_a_response_does_not_matter() -> None:
    """What is told in the answer otherwise than it can be put right does."""
    plain = question(RESPONSES, {"input": "x"})
    own = {"metadata": {"a": "b"}, "prompt_cache_key": "k", "user": "u", "stream": True}
    assert question(RESPONSES, {"input": "x", **own}) == plain
    assert question(RESPONSES, {"input": "x", "prompt_cache_retention": "24h"}) != plain


def test_a_partition_is_nobodys_fingerprint() -> None:
    """Not even that of the request whose last turn is empty."""
    empty = question(CHAT, chat({"role": "user", "content": ""}))
    assert empty.fingerprint != question(CHAT, chat()).partition


def test_an_odd_temperature_is_none() -> None:
    """The upstream refuses it."""
    assert question(CHAT, chat(temperature="hot")).temperature is None
    assert question(CHAT, chat(temperature=True)).temperature is None


@pytest.mark.alone
def test_a_large_body_takes_time_in_proportion() -> None:
    """Ten times the text takes no more than some ten times as long, nested or not."""

    def seconds(messages: int) -> float:
        content = "word " * 80
        said = [{"role": "user", "content": content}] * messages
        body = json.dumps(chat(*said, model="m")).encode()
        request = read_request(match("POST", CHAT, ""), body)
        times = []
        for _ in range(5):
            start = process_time()
            question_of(request)
            times.append(process_time() - start)
        return min(times)

    assert seconds(2500) < 40 * seconds(250)
