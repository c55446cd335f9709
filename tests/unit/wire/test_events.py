"""What events of streams mean."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.domain.quota.usage import Usage
from app.errors import MalformedRequest, UpstreamDisconnected
from app.wire.events import (
    Event,
    Kind,
    error_frame,
    error_object,
    is_notable,
    is_plain,
    plain_frames,
    read_event,
)
from app.wire.sse import FrameBuffer, data_of
from app.wire.sse import frames_of as joined_frames
from tests.streams.recordings import RECORDINGS, THROTTLED, Recording, recording


def frames_of(one: Recording) -> list[bytes]:
    """The frames of a recording, a tail that only its end completes included."""
    buffer = FrameBuffer()
    frames = buffer.feed(one.data)
    return [*frames, tail] if (tail := buffer.rest()) else frames


def events_of(one: Recording) -> list[Event]:
    return [read_event(frame) for frame in frames_of(one)]


def chat(text: str) -> Event:
    return read_event(f"data: {text}\n\n".encode())


@pytest.mark.parametrize("one", RECORDINGS, ids=lambda one: one.name)
def test_recordings_are_understood(one: Recording) -> None:
    """Usage, errors, ids and the end are found in every recorded stream."""
    events = events_of(one)
    usage = [event.usage for event in events if event.usage is not None]
    errors = [event.code for event in events if event.kind is Kind.ERROR]
    ids = {event.response_id for event in events} - {None}

    assert usage == ([] if one.usage is None else [one.usage])
    assert sum(event.only_usage for event in events) == one.usage_frames
    assert errors == ([] if one.error is None else [one.error])
    assert ids == (set() if one.response_id is None else {one.response_id})
    assert events[-1].kind is (Kind.DONE if one.error is None else Kind.ERROR)
    assert sum(event.kind is Kind.DONE for event in events) == (one.error is None)


@pytest.mark.parametrize("one", [*RECORDINGS, *THROTTLED], ids=lambda one: one.name)
def test_what_is_not_notable_says_nothing(one: Recording) -> None:
    """Frames that the relay does not decode hold no usage, no error and no end."""
    for frame in frames_of(one):
        event = read_event(frame)
        says_something = event.usage or event.kind in {Kind.ERROR, Kind.DONE}
        if says_something and one.name != "chat_multiline":
            assert is_notable(frame), frame
        assert is_notable(frame) <= is_notable(b"data: 1\n\n" + frame)


#: Pieces of frames, among them all that decides what a frame says.
PIECES = (
    *("data:", "data: {", " ", "\n", "\n\n", "\r", "[DONE]", '"usage"', ":", "{", "null", "}"),
    *('"error"', '"type":', '"response.completed"', '"error":"', "event: x\n", ": ping\n\n"),
)
texts = st.lists(st.sampled_from(PIECES), max_size=12)


@given(texts)
@example(["data: {", "\n", "data: {", "\n\n", ": ping\n\n"])
@example(["event: x\n", "data: {", "\n", "data: {", "\n\n", "event: x\n", "\n\n"])
@example(["data: {", "}", "\n\n", "data:", "[DONE]", "\n\n"])
@example(["data: {", "}", "\r", "data:", "[DONE]", "\n\n"])
def test_what_is_plain_for_sure_is_not_notable(parts: list[str]) -> None:
    """The quick look is never wrong about what the long one would find."""
    frames = joined_frames("".join(parts).encode())
    if is_plain(b"".join(frames), len(frames)):
        assert not is_notable(b"".join(frames))


@given(texts)
@example(["data: {", "}", "\n\n"])
@example(["data: {", "}", "\n", "\n\n"])
@example(["data: {", "}", "\r", "\n\n"])
@example(["data: {", "}", "\n\n", "\n"])
@example(["data: {", "}", "\n\n", "data: {", "}", "\n\n"])
@example(["data: {", "}", "\n\n", "\n", "data: {", "}", "\n\n", "\n\n"])
def test_plain_frames_are_whole_and_plain(parts: list[str]) -> None:
    """The quickest look says what cutting and the quick look say."""
    data = "".join(parts).encode()
    frames, number = FrameBuffer().joined(data)
    plain = frames == data and data.startswith(b"data: {") and is_plain(frames, number)
    assert plain_frames(data) == (number if plain else 0)


@pytest.mark.parametrize("one", RECORDINGS, ids=lambda one: one.name)
def test_what_says_something_is_never_plain(one: Recording) -> None:
    """In recorded streams, by itself and among its neighbours; most of their frames are plain."""
    frames = frames_of(one)
    for at, frame in enumerate(frames):
        for some in ([frame], frames[at : at + 2], frames[at : at + 5]):
            assert is_plain(b"".join(some), len(some)) <= (not is_notable(b"".join(some)))


def test_frames_of_content_are_plain() -> None:
    """Alone and joined: or the quick look would be none."""
    chat_frame = b'data: {"choices":[{"delta":{"content":" sea"}}],"usage":null}\n\n'
    event = b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta"}\n\n'
    assert plain_frames(chat_frame) == 1
    assert plain_frames(chat_frame * 2) == 2
    assert not plain_frames(chat_frame + chat_frame[:-1])
    assert is_plain(chat_frame, 1)
    assert is_plain(chat_frame * 3, 3)
    assert is_plain(event, 1)
    assert not is_plain(chat_frame + b"data: [DONE]\n\n", 2)


def test_plain_content_is_not_notable() -> None:
    """The frames that a stream mostly consists of cost no decoding."""
    frames = frames_of(recording("chat_usage"))
    assert [is_notable(frame) for frame in frames] == [False] * (len(frames) - 2) + [True, True]


def test_content_that_quotes_a_stream_is_content() -> None:
    """A model may talk about `[DONE]`, usage and errors without ending anything."""
    frames = frames_of(recording("chat_quoting"))
    assert not is_notable(frames[2])
    assert read_event(frames[2]).kind is Kind.CONTENT


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_the_end_is_noticed_behind_every_line_end(end: bytes) -> None:
    """`[DONE]` is looked for at the start of lines, whatever ends the line before."""
    assert is_notable(b"data: 1" + end + end + b"data: [DONE]" + end + end)
    assert is_notable(b"event: x" + end + b"data: [DONE]" + end + end)


@pytest.mark.parametrize("one", THROTTLED, ids=lambda one: one.name)
def test_a_throttled_stream_names_its_reason_before_any_content(one: Recording) -> None:
    """Every spelling of a throttled stream is read as an error, with the code in one of them."""
    events = events_of(one)
    codes = [event.code for event in events if event.kind is Kind.ERROR]
    assert {event.kind for event in events} <= {Kind.PREAMBLE, Kind.ERROR}
    assert one.error in codes


@pytest.mark.parametrize(
    "text",
    [
        '{"id":"","choices":[],"prompt_filter_results":[{"prompt_index":0}],"usage":null}',
        '{"choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]}',
        '{"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null}}]}',
        '{"choices":[{"index":0,"content_filter_offsets":{"check_offset":44}}]}',
        '{"choices":[{"index":0,"text":""}]}',
        "",
    ],
)
def test_what_no_reader_would_see_is_preamble(text: str) -> None:
    """Until something is said, another deployment can still take over."""
    assert chat(text).kind is Kind.PREAMBLE


@pytest.mark.parametrize(
    "text",
    [
        '{"choices":[{"index":0,"delta":{"content":"a"}}]}',
        '{"choices":[{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0}]}}]}',
        '{"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}',
        '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
        '{"choices":[{"index":0},{"index":1,"delta":{"content":"b"}}]}',
        '{"choices":[{"index":0,"text":"a"}]}',
        '{"type":"response.output_item.added","item":{}}',
        '{"type":"response.some_event_of_tomorrow"}',
        '{"choices":"of another form"}',
        "not JSON",
        '"text"',
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    ],
)
def test_what_says_something_or_cannot_be_read_is_content(text: str) -> None:
    """Tool calls, reasoning, ends and the unknown count: they are the client's to judge."""
    assert chat(text).kind is Kind.CONTENT


def test_bytes_that_are_no_text_are_content() -> None:
    """A frame that is not UTF-8 raises nothing here."""
    assert read_event(b'data: {"choices":"\xff"}\n\n').kind is Kind.CONTENT


def test_usage_beside_content_is_not_a_frame_of_its_own() -> None:
    """Servers that tell the usage in every chunk lose no chunk."""
    event = chat(
        '{"choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}'
    )
    assert event == Event(Kind.CONTENT, Usage(input=1, output=2))


def test_the_last_usage_counts_as_given() -> None:
    """An explicit zero is a count; a missing detail is none."""
    assert chat('{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0}}').usage == Usage()
    assert chat('{"choices":[],"usage":null}').usage is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"error":{"code":"a","type":"b"}}', "a"),
        ('{"error":{"code":null,"type":"b"}}', "b"),
        ('{"error":{"code":429}}', "429"),
        ('{"error":{"message":"broken"}}', None),
        ('{"error":"broken"}', "broken"),
        ('{"type":"error","code":"a","message":"flat"}', "a"),
        ('{"type":"error","error":{"code":"a","type":"b"},"code":"c"}', "a"),
        ('{"type":"error","message":"nothing else"}', None),
        ('{"type":"response.failed","response":{"error":{"code":"a"}}}', "a"),
        ('{"type":"response.failed","response":{"error":null}}', None),
    ],
)
def test_errors_in_all_spellings(text: str, code: str | None) -> None:
    """Nested, flat, as text, inside the response: Azure and OpenAI send them all."""
    event = chat(text)
    assert (event.kind, event.code) == (Kind.ERROR, code)


def test_a_null_error_is_none() -> None:
    """A chunk with `error: null` is what its choices say."""
    assert chat('{"error":null,"choices":[{"delta":{"content":"a"}}]}').kind is Kind.CONTENT


BROKEN = UpstreamDisconnected("The upstream went away.")


def test_a_chat_error_frame_raises_in_sdks() -> None:
    """It holds the error object under `error`, which is what both SDKs look at."""
    frame = error_frame(BROKEN, responses=False)
    assert frame.startswith(b"data: ")
    assert frame.endswith(b"\n\n")
    assert json.loads(data_of(frame)) == {"error": error_object(BROKEN)}
    assert read_event(frame) == Event(Kind.ERROR, code="upstream_disconnected")


def test_a_responses_error_frame_is_nested_and_flat() -> None:
    """Azure's nesting and the specification's flat fields are both there."""
    frame = error_frame(BROKEN, responses=True)
    said = json.loads(data_of(frame))
    assert frame.startswith(b"event: error\n")
    assert said["type"] == "error"
    assert said["error"] == error_object(BROKEN)
    assert (said["code"], said["message"], said["param"]) == (
        "upstream_disconnected",
        "The upstream went away.",
        None,
    )
    assert read_event(frame).code == "upstream_disconnected"


def test_an_error_object_has_all_four_fields() -> None:
    """OpenAI's specification requires them, null or not."""
    assert error_object(MalformedRequest("Which?", param="model")) == {
        "message": "Which?",
        "type": "invalid_request_error",
        "param": "model",
        "code": "invalid_request",
    }


def test_an_error_frame_is_one_frame() -> None:
    """A message with line breaks does not break out of its frame."""
    error = UpstreamDisconnected("a\n\ndata: [DONE]\r\n\r\n")
    for responses in (False, True):
        frame = error_frame(error, responses=responses)
        assert FrameBuffer().feed(frame) == [frame]


@pytest.mark.parametrize("counts", ["{}", '{"total_tokens":30}', '{"prompt_tokens":3}'])
def test_a_usage_without_its_counts_is_a_usage_frame_without_usage(counts: str) -> None:
    """Whoever asked for the frame takes it out again; the tokens are to be estimated."""
    frame = chat(f'{{"choices":[],"usage":{counts}}}')
    assert (frame.kind, frame.usage, frame.only_usage) == (Kind.CONTENT, None, True)
    ending = chat(f'{{"choices":[{{"delta":{{}}}}],"usage":{counts}}}')
    assert (ending.kind, ending.usage, ending.only_usage) == (Kind.CONTENT, None, False)
    completed = f'{{"type":"response.completed","response":{{"usage":{counts}}}}}'
    assert (chat(completed).kind, chat(completed).usage) == (Kind.DONE, None)
