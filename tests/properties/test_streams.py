"""However a stream is cut on its way, the client gets the same bytes and we the same counts."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.domain.call.request import InferenceRequest, Operation
from app.domain.quota.usage import Usage
from app.observation import Observation
from app.stages.relay import Relay
from app.stages.upstream.opening import open_answer
from app.wire.events import Kind, read_event
from app.wire.openai import read_request
from app.wire.routes import match
from app.wire.sse import FrameBuffer
from tests.fakes.call import FakeCall
from tests.fakes.clock import FakeClock
from tests.fakes.house import deployment
from tests.fakes.reply import RecordingReply
from tests.fakes.upstream import ScriptedUpstream
from tests.streams.recordings import RECORDINGS, Recording, pieces

PATHS = {
    Operation.CHAT_COMPLETIONS: "/v1/chat/completions",
    Operation.COMPLETIONS: "/v1/completions",
    Operation.RESPONSES: "/v1/responses",
}
cuts = st.lists(st.integers(0, 1 << 16), max_size=60)


def recorded() -> list[object]:
    """All recordings."""
    return [pytest.param(one, id=one.name) for one in RECORDINGS]


def request_for(one: Recording, *, wants_usage: bool) -> InferenceRequest:
    fields = {"model": "m", "stream": True, "stream_options": {"include_usage": wants_usage}}
    return read_request(match("POST", PATHS[one.operation], ""), json.dumps(fields).encode())


def frames_of(parts: list[bytes]) -> list[bytes]:
    """The frames of a stream that came in these parts, its tail included."""
    buffer = FrameBuffer()
    frames = [frame for part in parts for frame in buffer.feed(part)]
    return [*frames, tail] if (tail := buffer.rest()) else frames


def ends(frame: bytes) -> bool:
    """Whether nothing that belongs to the answer follows."""
    return read_event(frame).kind in {Kind.DONE, Kind.ERROR}


@dataclass(frozen=True, slots=True)
class Relayed:
    """What came out at the other end."""

    body: bytes
    usage: Usage | None
    error: str | None
    finished: bool
    frames: int


async def relayed(one: Recording, parts: list[bytes], *, wants_usage: bool) -> Relayed:
    """A recording in these parts, through the real stages."""
    clock = FakeClock()
    upstream = ScriptedUpstream(clock)
    upstream("east").plays(*parts)
    observation, reply = Observation(FakeCall(), clock), RecordingReply()
    request = request_for(one, wants_usage=wants_usage)
    opened = await open_answer(upstream, deployment("east"), request, {})
    assert opened.answer is not None
    await Relay().pass_on(opened.answer, reply, observation)
    meter = observation.meter
    return Relayed(reply.body, meter.usage, meter.error, reply.finished, meter.frames)


@pytest.mark.parametrize("one", recorded())
@given(at=cuts)
@example(at=list(range(1 << 12)))
def test_events_do_not_depend_on_the_cuts(one: Recording, at: list[int]) -> None:
    """The formats alone: same frames, same bytes, same usage, down to single bytes."""
    frames = frames_of(pieces(one.data, at))
    events = [read_event(frame) for frame in frames]
    assert b"".join(frames) == one.data
    assert [event.usage for event in events if event.usage] == ([one.usage] if one.usage else [])


@pytest.mark.parametrize("one", recorded())
@given(at=cuts)
@example(at=[])
@example(at=list(range(1 << 12)))
def test_a_caller_that_wants_everything_gets_every_byte(one: Recording, at: list[int]) -> None:
    """Through the relay, nothing is added, taken out or changed."""
    seen = asyncio.run(relayed(one, pieces(one.data, at), wants_usage=True))
    frames = len(frames_of([one.data]))
    assert seen == Relayed(one.data, one.usage, one.recorded_error, finished=True, frames=frames)


@pytest.mark.parametrize("one", recorded())
@given(at=cuts)
@example(at=[])
@example(at=list(range(1 << 12)))
def test_only_the_usage_frame_that_we_asked_for_is_missing(one: Recording, at: list[int]) -> None:
    """Its counts are known all the same, and every other byte is there."""
    frames = frames_of([one.data])
    kept = [frame for frame in frames if not read_event(frame).only_usage]
    assert len(frames) - len(kept) == one.usage_frames
    seen = asyncio.run(relayed(one, pieces(one.data, at), wants_usage=False))
    error, frames_kept = one.recorded_error, len(kept)
    assert seen == Relayed(b"".join(kept), one.usage, error, finished=True, frames=frames_kept)


@pytest.mark.parametrize("one", recorded())
@given(length=st.integers(0, 1 << 16), at=cuts)
def test_a_stream_that_breaks_anywhere_is_never_made_whole(
    one: Recording, length: int, at: list[int]
) -> None:
    """Whatever came of it is passed on up to the break, and nobody is told that it was all."""
    data = one.data[: 1 + length % (len(one.data) - 1)]
    whole = any(ends(frame) for frame in FrameBuffer().feed(data))

    async def story() -> None:
        clock = FakeClock()
        upstream = ScriptedUpstream(clock)
        parts = pieces(data, at)
        upstream("east").plays(*parts).cuts_after(len(parts))
        observation, reply = Observation(FakeCall(), clock), RecordingReply()
        request = request_for(one, wants_usage=True)
        opened = await open_answer(upstream, deployment("east"), request, {})
        if opened.answer is not None:
            await Relay().pass_on(opened.answer, reply, observation)
            assert data.startswith(reply.body)
            assert reply.finished == observation.meter.done == whole
            assert (reply.broken is None) == whole

    asyncio.run(story())
