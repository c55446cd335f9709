"""A copy of what a client is sent."""

from __future__ import annotations

import json

import pytest

from app.domain.call.request import Operation
from app.domain.quota.usage import Usage
from app.errors import ClientGone, UpstreamDisconnected
from app.stages.caching.recording import Recording
from tests.fakes.reply import RecordingReply
from tests.streams.recordings import recording as recorded

CHAT = Operation.CHAT_COMPLETIONS
JSON = {"content-type": "application/json"}
STREAM = {"content-type": "text/event-stream; charset=utf-8"}
USAGE = Usage(input=9, output=2)


async def test_the_client_gets_what_is_kept() -> None:
    """Part by part; whole only when it has ended."""
    reply = RecordingReply()
    recording = Recording(reply, CHAT, at_most=100)
    await recording.start(200, JSON)
    await recording.send(b"one")
    assert recording.body(USAGE) is None
    await recording.send(b"two")
    await recording.finish()
    assert recording.body(USAGE) == b"onetwo" == reply.body
    assert reply.parts == [b"one", b"two"]
    assert (recording.status, reply.finished) == (200, True)


@pytest.mark.parametrize("is_taken", [True, False])
async def test_what_is_sent_at_once_is_kept(*, is_taken: bool) -> None:
    """Where it was sent."""
    reply = RecordingReply(takes_first=is_taken)
    recording = Recording(reply, CHAT, at_most=100)
    assert recording.put_first(200, JSON, b"one") is is_taken
    if is_taken:
        assert recording.body(USAGE) is None
        await recording.finish()
        assert recording.body(USAGE) == b"one" == reply.body
    else:
        assert recording.size == len(reply.body) == 0


async def test_what_is_too_large_is_passed_on_and_not_kept() -> None:
    """Nor is its beginning."""
    reply = RecordingReply()
    recording = Recording(reply, CHAT, at_most=4)
    await recording.start(200, JSON)
    for part in (b"four", b"5"):
        await recording.send(part)
    await recording.finish()
    assert recording.body(USAGE) is None
    assert reply.body == b"four5"


async def streamed(*frames: bytes, at_most: int = 100_000) -> tuple[Recording, RecordingReply]:
    reply = RecordingReply()
    recording = Recording(reply, CHAT, at_most=at_most)
    await recording.start(200, STREAM)
    for frame in frames:
        await recording.send(frame)
    await recording.finish()
    return recording, reply


def delta(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    named = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + json.dumps(named | {"choices": [choice]}).encode() + b"\n\n"


END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


async def test_a_stream_is_measured_by_what_it_says() -> None:
    """Its frames are many times as long as the body, and longer than is kept."""
    recording, reply = await streamed(*[delta("word ")] * 2000, END, at_most=15_000)
    body = recording.body(USAGE)
    assert body is not None
    assert json.loads(body)["choices"][0]["message"]["content"] == "word " * 2000
    assert json.loads(body)["usage"]["prompt_tokens"] == 9
    assert len(reply.body) > 10 * 15_000


@pytest.mark.parametrize(
    ("text", "at_most"), [("word ", 9_900), ("\n\n\n\n\n", 15_000), ("日本語だ", 15_000)]
)
async def test_a_stream_that_says_too_much_is_not_kept(text: str, at_most: int) -> None:
    """By the length of its body in bytes, which escapes and other scripts make longer."""
    recording, reply = await streamed(*[delta(text)] * 2000, END, at_most=at_most)
    assert recording.body(USAGE) is None
    assert reply.body.endswith(END)


async def test_a_stream_that_makes_no_answer_is_let_go_of() -> None:
    """As soon as it is known; the client gets all of it."""
    error = recorded("chat_error").data
    recording, reply = await streamed(error, *[delta("word ")] * 100)
    assert recording.body(USAGE) is None
    assert reply.body == error + delta("word ") * 100
    assert recording.size < 1000


async def test_a_stream_of_what_does_not_stream_is_not_kept() -> None:
    """Whatever the upstream sends for embeddings."""
    recording = Recording(RecordingReply(), Operation.EMBEDDINGS, at_most=100)
    await recording.start(200, STREAM)
    await recording.send(delta("x"))
    await recording.finish()
    assert recording.body(USAGE) is None


@pytest.mark.parametrize("headers", [JSON, STREAM])
async def test_an_answer_that_broke_off_is_not_kept(headers: dict[str, str]) -> None:
    """The client is told, and what it has so far is no answer."""
    reply = RecordingReply()
    recording = Recording(reply, CHAT, at_most=100)
    await recording.start(200, headers)
    await recording.send(delta("half"))
    error = UpstreamDisconnected("gone")
    await recording.break_off(error)
    assert recording.body(USAGE) is None
    assert reply.broken is error


async def test_a_client_that_left_is_told_to_whoever_sends() -> None:
    """As without a copy."""
    recording = Recording(RecordingReply(leaves_after=1), CHAT, at_most=100)
    await recording.start(200, {})
    await recording.send(b"one")
    with pytest.raises(ClientGone):
        await recording.send(b"two")
    assert recording.body(USAGE) is None
