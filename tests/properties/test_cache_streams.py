"""An answer that is told as a stream and one that was kept from a stream are the same answer."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.call.request import Operation
from app.domain.quota.usage import Usage
from app.wire.cache.fold import Folder, fold
from app.wire.cache.pieces import pieces_of
from app.wire.cache.unfold import unfold
from app.wire.cache.unkept import Unkept, unkept
from app.wire.events import Kind, read_event
from app.wire.sse import FrameBuffer
from tests.fakes.kept_answers import answers, texts
from tests.streams.recordings import RECORDINGS, THROTTLED, Recording, pieces, recording

FOLDABLE = tuple(
    one
    for one in RECORDINGS
    if one.error is None and one.name not in {"chat_async_filter", "responses_incomplete"}
)


def stream_of(operation: Operation, body: bytes) -> bytes:
    return b"".join(told.frame for told in unfold(operation, body, include_usage=True))


def frames_of(data: bytes) -> list[bytes]:
    buffer = FrameBuffer()
    return [*buffer.feed(data), *buffer.last()]


@given(answers)
def test_what_is_told_folds_to_what_was_kept(answer: tuple[Operation, dict[str, Any]]) -> None:
    """Whatever the answer holds: texts, thoughts, calls, refusals, log probabilities."""
    operation, body = answer
    told = fold(operation, stream_of(operation, json.dumps(body).encode()))
    assert isinstance(told, bytes)
    assert json.loads(told) == body


@given(answers)
def test_what_is_told_is_a_stream_that_the_relay_knows(
    answer: tuple[Operation, dict[str, Any]],
) -> None:
    """One frame each, no error, one end at the very end, and the usage of the body."""
    operation, body = answer
    told = list(unfold(operation, json.dumps(body).encode(), include_usage=True))
    events = [read_event(each.frame) for each in told]
    assert frames_of(b"".join(each.frame for each in told)) == [each.frame for each in told]
    assert [event.kind for event in events].count(Kind.DONE) == 1
    assert events[-1].kind is Kind.DONE
    assert all(event.kind is not Kind.ERROR for event in events)
    assert [event.usage for event in events if event.usage] == [
        Usage(input=21, output=9, reasoning=3)
    ]


@given(answers)
def test_numbers_of_events_have_no_gap(answer: tuple[Operation, dict[str, Any]]) -> None:
    """A client that reconnects counts on them."""
    operation, body = answer
    if operation is not Operation.RESPONSES:
        return
    told = stream_of(operation, json.dumps(body).encode())
    numbers = [
        json.loads(frame.split(b"data: ", 1)[1])["sequence_number"] for frame in frames_of(told)
    ]
    assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize("one", [pytest.param(one, id=one.name) for one in FOLDABLE])
@given(cuts=st.lists(st.integers(0, 1 << 16), max_size=40))
def test_recorded_streams_fold_and_are_told_again(one: Recording, cuts: list[int]) -> None:
    """However they were cut on their way; and the body tells the same usage and text."""
    folder = Folder(one.operation)
    for piece in pieces(one.data, cuts):
        folder.add(piece)
    body = folder.body()
    assert isinstance(body, bytes)
    again = fold(one.operation, stream_of(one.operation, body))
    assert isinstance(again, bytes)
    assert json.loads(again) == json.loads(body)
    assert said(one.operation, json.loads(body)) == said_in(one)


@pytest.mark.parametrize(
    "one",
    [pytest.param(one, id=one.name) for one in (*RECORDINGS, *THROTTLED) if one not in FOLDABLE],
)
def test_recorded_streams_that_failed_are_not_kept(one: Recording) -> None:
    """Errors, filters, and an end that lacks what came before."""
    expected = {
        "chat_async_filter": Unkept.FILTERED,
        "responses_incomplete": Unkept.UNFOLDABLE,
    }
    assert fold(one.operation, one.data) is expected.get(one.name, Unkept.ERROR)


@pytest.mark.parametrize("one", [pytest.param(one, id=one.name) for one in FOLDABLE])
@given(length=st.integers(0, 1 << 16))
def test_a_stream_that_broke_off_is_not_kept(one: Recording, length: int) -> None:
    """Wherever it did, down to within its last frame."""
    data = one.data[: length % len(one.data)]
    ended = any(read_event(frame).kind is Kind.DONE for frame in frames_of(data))
    assert isinstance(fold(one.operation, data), bytes) == ended


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.sampled_from(["", "stop", "message", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["index", "message", "text", "content", "type", "output", "tool_calls", "function"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(answers, st.data())
def test_what_is_worth_keeping_can_be_told(
    answer: tuple[Operation, dict[str, Any]], data: st.DataObject
) -> None:
    """Of a body that is wrong somewhere, either it is seen, or it does not matter."""
    operation, body = answer[0], deepcopy(answer[1])
    spoil(body, data)
    encoded = json.dumps(body).encode()
    reason = unkept(operation, encoded)
    if reason is None or reason.for_the_same:
        assert stream_of(operation, encoded)


@given(st.lists(json_values, max_size=4), st.sampled_from([*Operation][:2]))
def test_no_chunk_stops_the_folding(chunks: list[Any], operation: Operation) -> None:
    """It is no answer, or it is one; nothing is raised."""
    data = b"".join(
        b"data: " + json.dumps({"choices": [each]}).encode() + b"\n\n" for each in chunks
    )
    assert isinstance(fold(operation, data + b"data: [DONE]\n\n"), bytes | Unkept)


@given(texts)
def test_pieces_are_the_text(text: str) -> None:
    """All of it, in order, and none is empty."""
    cut = list(pieces_of(text))
    assert "".join(cut) == text
    assert all(cut)


def spoil(body: Any, data: st.DataObject) -> None:
    """Put something else somewhere into a value."""
    while True:
        keys = list(body) if isinstance(body, dict) else list(range(len(body)))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        below = body[key]
        if not isinstance(below, dict | list) or not below or data.draw(st.booleans()):
            body[key] = data.draw(json_values)
            return
        body = below


def said(operation: Operation, body: Any) -> str:
    """The text and the arguments of calls in a whole body."""
    if operation is Operation.RESPONSES:
        return "".join(part["text"] for item in body["output"] for part in item["content"])
    texts: list[str] = []
    for each in body["choices"]:
        message = each.get("message", {})
        texts += [each.get("text") or "", message.get("content") or ""]
        texts += [call["function"]["arguments"] for call in message.get("tool_calls", ())]
    return "".join(texts)


def said_in(one: Recording) -> str:
    """The same in a recorded stream, read by itself."""
    texts: list[str] = []
    for frame in frames_of(recording(one.name).data):
        lines = frame.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        data = b"\n".join(line[5:] for line in lines if line.startswith(b"data:"))
        event = json.loads(data) if data.strip().startswith(b"{") else {}
        if event.get("type") == "response.output_text.delta":
            texts.append(event["delta"])
        for each in event.get("choices", ()):
            delta = each.get("delta", {})
            texts += [each.get("text") or "", delta.get("content") or ""]
            texts += [call["function"]["arguments"] for call in delta.get("tool_calls", ())]
    return "".join(texts)
