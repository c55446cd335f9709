from __future__ import annotations

import json
from typing import Any

import pytest

from app.domain.call.request import Operation
from app.wire.cache.unkept import Unkept, unkept
from tests.fakes.kept_answers import (
    SAFE,
    Fields,
    call,
    chat,
    choice,
    completion,
    function_call,
    message,
    output_text,
    reasoning,
    response,
    response_message,
)

FILTERED = {**SAFE, "hate": {"filtered": True, "severity": "high"}}
EMBEDDING: Fields = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}],
    "model": "m",
    "usage": {"prompt_tokens": 3, "total_tokens": 3},
}
CHAT, RESPONSES = Operation.CHAT_COMPLETIONS, Operation.RESPONSES


def found(operation: Operation, body: Any) -> Unkept | None:
    return unkept(operation, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (CHAT, chat()),
        (CHAT, chat(choice(content_filter_results=SAFE))),
        (CHAT, chat(choice(message(None, tool_calls=[call()]), "tool_calls"))),
        (Operation.COMPLETIONS, completion()),
        (Operation.EMBEDDINGS, EMBEDDING),
        (RESPONSES, response()),
        (RESPONSES, response(reasoning("First."), function_call())),
    ],
)
def test_whole_answers_are_kept(operation: Operation, body: Fields) -> None:
    """For whoever they fit."""
    assert found(operation, body) is None


@pytest.mark.parametrize(
    ("operation", "body", "reason"),
    [
        (CHAT, [], Unkept.UNREADABLE),
        (CHAT, {}, Unkept.UNREADABLE),
        (CHAT, chat(choices=[]), Unkept.UNREADABLE),
        (CHAT, chat(choice(message([{"type": "text"}]))), Unkept.UNREADABLE),  # type: ignore[arg-type]  # that is the point
        (CHAT, {"error": {"code": "x"}}, Unkept.ERROR),
        (CHAT, chat(choice(finish="content_filter")), Unkept.FILTERED),
        (CHAT, chat(choice(content_filter_results=FILTERED)), Unkept.FILTERED),
        (CHAT, chat(choice(content_filter_results={"error": {"code": "x"}})), Unkept.FILTERED),
        (CHAT, chat(choice(finish="of_tomorrow")), Unkept.UNFINISHED),
        (CHAT, chat(choice(finish=None)), Unkept.UNFINISHED),  # type: ignore[arg-type]  # that is the point
        (CHAT, chat(choice(message(""))), Unkept.EMPTY),
        (CHAT, chat(choice(message(None, audio={"id": "a"}))), Unkept.AUDIO),
        (CHAT, chat(usage=None), Unkept.NO_USAGE),
        (CHAT, chat(choice(finish="length"), usage=None), Unkept.NO_USAGE),
        (CHAT, chat(choice(), choice(finish="content_filter")), Unkept.FILTERED),
        (CHAT, chat(choice(finish="length"), choice(message(""))), Unkept.EMPTY),
        (Operation.COMPLETIONS, completion(""), Unkept.EMPTY),
        (Operation.EMBEDDINGS, {**EMBEDDING, "data": []}, Unkept.EMPTY),
        (RESPONSES, response(status="failed"), Unkept.UNFINISHED),
        (RESPONSES, response(status="queued"), Unkept.UNFINISHED),
        (RESPONSES, response(error={"code": "server_error"}), Unkept.ERROR),
        (RESPONSES, response(content_filters=[{"blocked": True}]), Unkept.FILTERED),
        (
            RESPONSES,
            response(content_filters=[{"content_filter_results": FILTERED}]),
            Unkept.FILTERED,
        ),
        (
            RESPONSES,
            response(status="incomplete", incomplete_details={"reason": "content_filter"}),
            Unkept.FILTERED,
        ),
        (RESPONSES, response({"type": "web_search_call", "id": "ws_1"}), Unkept.UNFOLDABLE),
        (RESPONSES, response(response_message(output_text(""))), Unkept.EMPTY),
        (RESPONSES, response(response_message({"type": "output_audio"})), Unkept.AUDIO),
    ],
)
def test_what_is_not_whole_or_says_nothing_is_not_kept(
    operation: Operation, body: Any, reason: Unkept
) -> None:
    """Not even for the same request."""
    assert found(operation, body) is reason
    assert not reason.for_the_same


@pytest.mark.parametrize(
    ("operation", "body", "reason"),
    [
        (CHAT, chat(choice(finish="length")), Unkept.CUT),
        (CHAT, chat(choice(message(None, refusal="No."))), Unkept.REFUSAL),
        (Operation.COMPLETIONS, completion(finish="length"), Unkept.CUT),
        (
            RESPONSES,
            response(status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
            Unkept.CUT,
        ),
        (
            RESPONSES,
            response(response_message({"type": "refusal", "refusal": "No."})),
            Unkept.REFUSAL,
        ),
    ],
)
def test_cut_and_refused_answers_are_kept_for_the_same_request(
    operation: Operation, body: Fields, reason: Unkept
) -> None:
    """It would get the same again; another one that means the same may get more."""
    assert found(operation, body) is reason
    assert reason.for_the_same


def test_bytes_that_are_no_json_are_no_answer() -> None:
    """Nothing is raised."""
    assert unkept(CHAT, b"<html>") is Unkept.UNREADABLE
    assert unkept(CHAT, b'{"choices": "\xff"}') is Unkept.UNREADABLE
