"""A copy of what a client is sent."""

from __future__ import annotations

import pytest

from app.errors import ClientGone, UpstreamDisconnected
from app.stages.caching.recording import Recording
from tests.fakes.reply import RecordingReply


async def test_the_client_gets_what_is_kept() -> None:
    """Part by part; whole only when it has ended."""
    reply = RecordingReply()
    recording = Recording(reply, at_most=100)
    await recording.start(200, {"content-type": "text/event-stream; charset=utf-8"})
    await recording.send(b"one")
    assert recording.body is None
    await recording.send(b"two")
    await recording.finish()
    assert recording.body == b"onetwo" == reply.body
    assert reply.parts == [b"one", b"two"]
    assert (recording.is_stream, recording.status, reply.finished) == (True, 200, True)


async def test_what_is_too_large_is_passed_on_and_not_kept() -> None:
    """Nor is its beginning."""
    reply = RecordingReply()
    recording = Recording(reply, at_most=4)
    await recording.start(200, {"content-type": "application/json"})
    for part in (b"four", b"5"):
        await recording.send(part)
    await recording.finish()
    assert recording.body is None
    assert reply.body == b"four5"
    assert not recording.is_stream


async def test_an_answer_that_broke_off_is_not_kept() -> None:
    """The client is told, and what it has so far is no answer."""
    reply = RecordingReply()
    recording = Recording(reply, at_most=100)
    await recording.start(200, {})
    await recording.send(b"half")
    error = UpstreamDisconnected("gone")
    await recording.break_off(error)
    assert recording.body is None
    assert reply.broken is error


async def test_a_client_that_left_is_told_to_whoever_sends() -> None:
    """As without a copy."""
    recording = Recording(RecordingReply(leaves_after=1), at_most=100)
    await recording.start(200, {})
    await recording.send(b"one")
    with pytest.raises(ClientGone):
        await recording.send(b"two")
    assert recording.body is None
