from __future__ import annotations

import json
from typing import Any

import pytest

from app.domain.call.request import Operation
from app.domain.quota.usage import Usage
from app.wire.cache.fold import fold
from app.wire.cache.unkept import Unkept, unkept
from tests.fakes.kept_answers import SAFE
from tests.streams.recordings import recording

CHAT = Operation.CHAT_COMPLETIONS
DONE = b"data: [DONE]\n\n"
END: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": "stop"}


def frame(**chunk: Any) -> bytes:
    named = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + json.dumps(named | chunk).encode() + b"\n\n"


def delta(index: int = 0, **said: Any) -> bytes:
    return frame(choices=[{"index": index, "delta": said, "finish_reason": None}])


def folded(*frames: bytes) -> Any:
    """What frames of a chat make, ended as they should be."""
    body = fold(CHAT, b"".join(frames) + frame(choices=[END]) + DONE)
    return json.loads(body) if isinstance(body, bytes) else body


def test_the_usage_that_the_caller_did_not_ask_for_is_put_in() -> None:
    """The relay knows it, and took its frame out."""
    body = fold(CHAT, recording("chat").data, usage=Usage(input=7, cached=2, output=3, reasoning=1))
    assert isinstance(body, bytes)
    assert json.loads(body)["usage"] == {
        "prompt_tokens": 7,
        "completion_tokens": 3,
        "total_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 1},
    }
    assert unkept(CHAT, body) is None


def test_pieces_of_calls_are_put_together_by_their_index() -> None:
    """Two at a time, one of them a custom tool's."""
    pieces = [
        {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"index": 1, "id": "b", "type": "custom", "custom": {"name": "g", "input": "x"}},
        {"index": 0, "function": {"arguments": "{}"}},
        {"index": 1, "id": "b", "custom": {"input": "y"}},
        {"index": 0, "id": "", "type": None, "function": {"name": None, "arguments": None}},
    ]
    body = folded(delta(role="assistant", content=None), *(delta(tool_calls=[p]) for p in pieces))
    assert body["choices"][0]["message"]["tool_calls"] == [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "b", "type": "custom", "custom": {"name": "g", "input": "xy"}},
    ]
    assert body["choices"][0]["message"]["content"] is None


def test_a_function_call_is_put_together() -> None:
    """The form before tools."""
    pieces = ({"name": "f", "arguments": ""}, {"arguments": "{"}, {"arguments": "}"})
    body = folded(*(delta(function_call=each) for each in pieces))
    assert body["choices"][0]["message"]["function_call"] == {"name": "f", "arguments": "{}"}


def test_texts_thoughts_and_citations_are_put_together() -> None:
    """Each by itself."""
    body = folded(
        delta(role="developer", content="", refusal=None),
        delta(reasoning_content="Hm"),
        delta(reasoning_content="m."),
        delta(content="Hel"),
        delta(content="lo"),
        delta(annotations=[{"type": "url_citation"}], role=None),
    )
    assert body["choices"][0]["message"] == {
        "role": "developer",
        "content": "Hello",
        "refusal": None,
        "reasoning_content": "Hmm.",
        "annotations": [{"type": "url_citation"}],
    }


def test_choices_are_put_together_by_their_index() -> None:
    """Whatever order they come in."""
    other = frame(choices=[{**END, "index": 1, "finish_reason": "length"}])
    body = folded(delta(1, content="b"), delta(0, content="a"), delta(1, content="c"), other)
    said = [(each["message"]["content"], each["finish_reason"]) for each in body["choices"]]
    assert said == [("a", "stop"), ("bc", "length")]


def test_of_the_filters_verdicts_the_most_severe_stays() -> None:
    """Each piece has its own."""
    low = {**SAFE, "hate": {"filtered": False, "severity": "low"}}
    frames = [
        frame(choices=[{"index": 0, "delta": {"content": "x"}, "content_filter_results": each}])
        for each in ({}, SAFE, low, SAFE)
    ]
    assert folded(*frames)["choices"][0]["content_filter_results"] == low


def test_what_all_chunks_repeat_is_kept() -> None:
    """Members that nobody knows, too; what only pads a stream is not."""
    chunk = {"choices": [{**END, "finish_reason": None, "tomorrow": 7}], "maker": "x"}
    body = folded(frame(**chunk, obfuscation="aaa", created=7), frame(**chunk, obfuscation="b"))
    assert body["maker"] == "x"
    assert body["created"] == 7
    assert body["choices"][0]["tomorrow"] == 7
    assert "obfuscation" not in body


@pytest.mark.parametrize(
    "frames",
    [
        (delta(audio={"data": "AAAA"}),),
        (delta(of_tomorrow=["x"]),),
        (delta(content=["x"]),),
        (delta(tool_calls=[{"id": "a"}]),),
        (delta(tool_calls=[{"index": 0, "id": "a"}]), delta(tool_calls=[{"index": 0, "id": "b"}])),
        (frame(choices=[], maker="x"), frame(choices=[], maker="y")),
        (frame(choices=[]), frame(choices=[], id="another")),
    ],
)
def test_what_a_body_has_no_place_for_is_not_kept(frames: tuple[bytes, ...]) -> None:
    """Rather than lost."""
    assert folded(*frames) is Unkept.UNFOLDABLE
