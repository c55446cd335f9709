"""Token counts, from whole bodies and from the ends of large ones."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.quota.usage import Usage
from app.wire.usage import MOST_TOKENS, response_id_of_body, usage_of_body, usage_of_tail

counts = st.integers(0, MOST_TOKENS)

CHAT = {
    "id": "chatcmpl-1",
    "choices": [{"message": {"content": 'say "usage": {"prompt_tokens": 1}'}}],
    "usage": {
        "prompt_tokens": 1566,
        "completion_tokens": 1518,
        "total_tokens": 3084,
        "prompt_tokens_details": {"audio_tokens": None, "cached_tokens": 1408},
        "completion_tokens_details": {"reasoning_tokens": 576, "tokens_of_tomorrow": [1]},
    },
}
RESPONSE = {
    "id": "resp_1",
    "usage": {
        "input_tokens": 37,
        "input_tokens_details": {"cached_tokens": 16},
        "output_tokens": 11,
        "output_tokens_details": {"reasoning_tokens": 5},
    },
}
EMBEDDING = {"object": "list", "data": [], "usage": {"prompt_tokens": 8, "total_tokens": 8}}
READ_3 = {"prompt_tokens": 3, "total_tokens": 3}


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        (CHAT, Usage(input=1566, cached=1408, output=1518, reasoning=576)),
        (RESPONSE, Usage(input=37, cached=16, output=11, reasoning=5)),
        (EMBEDDING, Usage(input=8)),
        ({"usage": {"prompt_tokens": 0, "completion_tokens": 0}}, Usage()),
        ({"usage": {**READ_3, "prompt_tokens_details": None}}, Usage(input=3)),
        ({"usage": {**READ_3, "prompt_tokens_details": {}}}, Usage(input=3)),
        ({"usage": {}}, None),
        ({"usage": {"total_tokens": 30}}, None),
        ({"usage": {"prompt_tokens": 3}}, None),
        ({"usage": {"prompt_tokens": 3, "total_tokens": 30}}, None),
        ({"usage": {"completion_tokens": 3, "total_tokens": 30}}, None),
        ({"usage": {"input_tokens": 3, "total_tokens": 3}}, None),
        ({"usage": {"output_tokens": 3}}, None),
        ({"usage": {"prompt_tokens": None, "completion_tokens": None}}, None),
        ({"usage": None}, None),
        ({}, None),
        ({"usage": "many"}, None),
    ],
)
def test_usage_in_every_form(body: dict[str, Any], usage: Usage | None) -> None:
    """Both spellings, with and without details; zero is a count, and absence is none."""
    encoded = json.dumps(body).encode()
    assert usage_of_body(encoded) == usage
    assert usage_of_tail(encoded) == (usage if isinstance(body.get("usage"), dict) else None)


@pytest.mark.parametrize("wrong", [-1, MOST_TOKENS + 1, 1 << 62, 10**30])
@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens"])
def test_what_no_answer_can_have_used_is_no_count(name: str, wrong: int) -> None:
    """It would be given back to the tenant, or be too large for whoever adds it up."""
    counted = {"prompt_tokens": 3, "completion_tokens": 2, name: wrong}
    encoded = json.dumps({"usage": counted}).encode()
    assert usage_of_body(encoded) is None
    assert usage_of_tail(encoded) is None


@pytest.mark.parametrize("wrong", [-1, MOST_TOKENS + 1, 10**30])
def test_a_part_that_cannot_be_is_not_told(wrong: int) -> None:
    """The whole is what is charged: it stays."""
    details = {
        "prompt_tokens_details": {"cached_tokens": wrong},
        "completion_tokens_details": {"reasoning_tokens": wrong},
    }
    body = {"usage": {"prompt_tokens": 3, "completion_tokens": 2, **details}}
    assert usage_of_body(json.dumps(body).encode()) == Usage(input=3, output=2)


def test_the_first_spelling_that_is_there_counts() -> None:
    """An explicit zero in one spelling is not replaced by the other's number."""
    body = b'{"usage":{"prompt_tokens":0,"input_tokens":9,"completion_tokens":2}}'
    assert usage_of_body(body) == Usage(input=0, output=2)


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[1]", b'{"usage":'])
def test_what_is_no_answer_has_no_usage_and_no_id(body: bytes) -> None:
    """A body that cannot be read raises nothing: it was the upstream's to write."""
    assert usage_of_body(body) is None
    assert response_id_of_body(body) is None
    assert usage_of_tail(body) is None


def test_an_answer_has_its_id() -> None:
    """The id under which a response can be asked for again."""
    assert response_id_of_body(json.dumps(RESPONSE).encode()) == "resp_1"
    assert response_id_of_body(b"{}") is None


@given(counts, counts, counts, st.integers(0, 400), st.sampled_from([None, 2]))
def test_a_tail_gives_the_usage_of_the_whole(
    read: int, cached: int, made: int, skipped: int, indent: int | None
) -> None:
    """Cut off anywhere before the usage, the end of a body says what all of it says."""
    details = {"cached_tokens": cached}
    usage = {
        "prompt_tokens": read,
        "prompt_tokens_details": details,
        "completion_tokens": made,
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
    filler = {"data": [{"embedding": "A" * 300}], "quote": '"usage": {"prompt_tokens": 1}'}
    body = json.dumps({**filler, "usage": usage, "model": "m"}, indent=indent).encode()
    tail = body[min(skipped, body.rindex(b'"usage"')) :]
    assert usage_of_tail(tail) == usage_of_body(body) == Usage(read, cached, made)


def test_the_last_usage_of_a_tail_counts() -> None:
    """Lists of answers end with the usage of the whole."""
    first = b'"usage":{"prompt_tokens":1,"total_tokens":1}}'
    last = b'"usage":{"prompt_tokens":2,"total_tokens":2}}'
    assert usage_of_tail(first + b"," + last) == Usage(2)


def test_a_usage_that_never_closes_is_none() -> None:
    """A body that broke off in its usage gives no number, and costs no time."""
    assert usage_of_tail(b'"usage":{"prompt_tokens":1' + b'{"a":1}' * 5000) is None
