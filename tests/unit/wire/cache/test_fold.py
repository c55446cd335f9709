from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from app.domain.call.request import Operation
from app.domain.quota.usage import Usage
from app.wire.cache.fold import Folder, fold
from app.wire.cache.unkept import Unkept
from tests.streams.recordings import recording

CHAT = Operation.CHAT_COMPLETIONS
DONE = b"data: [DONE]\n\n"
END: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": "stop"}


def frame(**chunk: Any) -> bytes:
    named = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + json.dumps(named | chunk).encode() + b"\n\n"


def delta(index: int = 0, **said: Any) -> bytes:
    return frame(choices=[{"index": index, "delta": said, "finish_reason": None}])


def test_a_stream_that_told_its_usage_keeps_it() -> None:
    """Zero included: the upstream's own counts stand."""
    for name, counted in (("chat_usage", 1566), ("chat_usage_zero", 0)):
        body = fold(CHAT, recording(name).data, usage=Usage(input=7))
        assert isinstance(body, bytes)
        assert json.loads(body)["usage"]["prompt_tokens"] == counted


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (b"", Unkept.UNFINISHED),
        (DONE, Unkept.UNFINISHED),
        (delta(content="x") + DONE, Unkept.UNFINISHED),
        (frame(choices=[END]), Unkept.UNFINISHED),
        (frame(choices=[END]) + delta(1, content="x") + DONE, Unkept.UNFINISHED),
        (b"data: {\n\n" + DONE, Unkept.UNREADABLE),
        (b"data: 1\n\n" + DONE, Unkept.UNREADABLE),
        (frame(choices=[{"delta": {}}]) + DONE, Unkept.UNREADABLE),
        (frame(choices=[END], error={"code": "x"}) + DONE, Unkept.ERROR),
        (frame(choices=[{**END, "finish_reason": "content_filter"}]) + DONE, Unkept.FILTERED),
        (
            frame(choices=[{**END, "content_filter_results": {"hate": {"filtered": True}}}]) + DONE,
            Unkept.FILTERED,
        ),
    ],
)
def test_what_is_not_whole_is_not_kept(stream: bytes, reason: Unkept) -> None:
    """And says why."""
    assert fold(CHAT, stream) is reason


def test_a_folder_knows_early_that_nothing_will_come_of_it() -> None:
    """So that nothing more is collected."""
    folder = Folder(CHAT)
    folder.add(recording("chat_error").data)
    assert folder.unkept is Unkept.ERROR
    folder.add(frame(choices=[END]) + DONE)
    assert folder.body() is Unkept.ERROR


FINISHED = {"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}
FILTERED = {"index": 0, "content_filter_results": {"hate": {"filtered": False}}}


@pytest.mark.parametrize(
    "stream",
    [
        frame(choices=[FINISHED]) + delta(content=" more") + DONE,
        frame(choices=[FINISHED]) + delta(tool_calls=[{"index": 0, "id": "c"}]) + DONE,
        frame(choices=[FINISHED]) + frame(choices=[{**END, "finish_reason": "length"}]) + DONE,
        frame(choices=[FINISHED]) + DONE + delta(content=" after"),
        frame(choices=[FINISHED]) + DONE + DONE,
    ],
)
def test_what_is_said_after_the_end_is_not_put_into_the_body(stream: bytes) -> None:
    """An SDK may have it in the answer or not: such an answer is nobody else's."""
    assert fold(CHAT, stream) is Unkept.UNFOLDABLE


def test_what_may_follow_the_end_of_a_choice() -> None:
    """Empty deltas, annotations, usage, comments, and another choice."""
    stream = (
        frame(choices=[FINISHED])
        + frame(choices=[{**END, "delta": {"content": "", "role": "assistant"}}])
        + frame(choices=[FILTERED])
        + frame(choices=[{**FINISHED, "index": 1}])
        + frame(choices=[], usage={"prompt_tokens": 1})
        + DONE
        + b": ping\n\n"
    )
    body = fold(CHAT, stream)
    assert isinstance(body, bytes)
    assert [each["message"]["content"] for each in json.loads(body)["choices"]] == ["hi", "hi"]


def test_nothing_comes_after_a_whole_response() -> None:
    """Which would not be in it."""
    stream = recording("responses").data
    late = b'event: x\ndata: {"type":"response.output_text.delta","delta":"more"}\n\n'
    assert isinstance(fold(Operation.RESPONSES, stream), bytes)
    assert fold(Operation.RESPONSES, stream + late) is Unkept.UNFOLDABLE


def test_a_folder_tells_how_long_the_body_gets() -> None:
    """By what is said, not by the frames that it comes in; about."""
    folder = Folder(CHAT)
    for _ in range(2000):
        folder.add(delta(role="assistant", content="word "))
        assert folder.unkept is None
    folder.add(frame(choices=[END]) + DONE)
    body = folder.body()
    assert isinstance(body, bytes)
    assert 0.9 * len(body) < folder.size < 1.1 * len(body)


LOGPROBS = {"content": [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}]}


@pytest.mark.parametrize(
    "piece",
    [
        {"delta": {"tool_calls": [{"index": 0, "function": {"arguments": "word "}}]}},
        {"delta": {"content": "a"}, "logprobs": LOGPROBS},
        {"delta": {"annotations": [{"type": "url_citation", "url": "https://x"}]}},
        {"delta": {"refusal": "No. "}},
    ],
)
def test_all_that_grows_is_counted(piece: dict[str, Any]) -> None:
    """Whatever the answer is made of; at most several times too much."""
    folder = Folder(CHAT)
    for _ in range(500):
        folder.add(frame(choices=[{"index": 0, "finish_reason": None, **piece}]))
    folder.add(frame(choices=[END]) + DONE)
    body = folder.body()
    assert isinstance(body, bytes)
    assert 0.7 * len(body) < folder.size < 12 * len(body)


def test_what_is_held_of_a_stream_is_in_proportion_to_its_body() -> None:
    """Not to its frames, which are fifty times as long."""
    folder, frames = Folder(CHAT), 0
    tracemalloc.start()
    try:
        for _ in range(5000):
            one = delta(content="word ")
            frames += len(one)
            folder.add(one)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 6 * folder.size < frames
