from __future__ import annotations

import json
from typing import Any

from app.wire.cache.echo import as_asked
from app.wire.openai import read_request
from app.wire.routes import match
from tests.fakes.kept_answers import Fields, chat, response


def given(path: str, body: Fields, **asked: Any) -> Any:
    request = read_request(match("POST", path, ""), json.dumps({"model": "m", **asked}).encode())
    return json.loads(as_asked(json.dumps(body).encode(), request))


def test_a_response_repeats_its_own_callers_fields() -> None:
    """Not those of the request that it was the answer to."""
    kept = response(
        metadata={"trace": "1"}, user="alice", safety_identifier="a", prompt_cache_key="k"
    )
    own = {"metadata": {"trace": "2"}, "user": "bob", "safety_identifier": "b"}
    seen = given("/v1/responses", kept, input="x", **own)
    assert seen == kept | own | {"prompt_cache_key": None}


def test_what_the_caller_leaves_out_is_what_upstreams_then_say() -> None:
    """Empty metadata, and null."""
    seen = given("/v1/responses", response(metadata={"trace": "1"}, user="alice"), input="x")
    assert (seen["metadata"], seen["user"]) == ({}, None)


def test_members_that_the_answer_does_not_have_are_not_added() -> None:
    """Old versions repeat less."""
    assert given("/v1/chat/completions", chat(), messages=[], metadata={"a": "b"}) == chat()
    kept = chat(metadata={"a": "1"})
    assert given("/v1/chat/completions", kept, messages=[]) == chat(metadata=None)


def test_bytes_that_are_right_stay_as_they_are() -> None:
    """Spacing included."""
    request = read_request(match("POST", "/v1/responses", ""), b'{"model":"m","input":"x"}')
    body = b'{"id" : "resp_1", "metadata": {}}'
    assert as_asked(body, request) is body
