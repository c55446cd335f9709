"""Kept answers on their way to the client."""

from __future__ import annotations

import json
import time

import pytest

from app.adapters.clock import SystemClock
from app.domain.cache.outcome import CacheRecord, CacheResult
from app.domain.call.request import Accounting, InferenceRequest, Operation, Route
from app.observation import Observation
from app.ports import Clock
from app.stages.caching.replay import Replay
from tests.fakes.call import FakeCall
from tests.fakes.clock import FakeClock
from tests.fakes.entries import BODY, an_entry
from tests.fakes.reply import RecordingReply

CHAT = Route(Operation.CHAT_COMPLETIONS, "POST", Accounting.TOKENS)


async def replayed(
    body: bytes, tokens_per_s: float, clock: Clock, *, stream: bool = True
) -> tuple[RecordingReply, Observation]:
    observation = Observation(FakeCall(), clock)
    observation.cache = CacheRecord(CacheResult.EXACT, age_s=61.7)
    reply = RecordingReply()
    request = InferenceRequest(CHAT, "gpt-4o", b"{}", stream=stream, wants_usage=True)
    replay = Replay(clock, tokens_per_s=tokens_per_s)
    await replay.send(an_entry(body=body), request, reply, observation)
    return reply, observation


def long_body(words: int) -> bytes:
    body = json.loads(BODY)
    body["choices"][0]["message"]["content"] = "word " * words
    return json.dumps(body).encode()


@pytest.mark.parametrize("stream", [True, False])
async def test_what_is_sent_is_counted(*, stream: bool) -> None:
    """As what an upstream sends."""
    reply, observation = await replayed(BODY, 0, FakeClock(), stream=stream)
    assert observation.meter.bytes == len(reply.body)
    assert observation.meter.done
    assert reply.finished
    assert (reply.headers["x-spillgate-cache"], reply.headers["age"]) == ("exact", "61")
    assert "x-spillgate-deployment" not in reply.headers


async def test_usage_is_told_to_who_asked_for_it() -> None:
    """It is what the answer had taken."""
    reply, _ = await replayed(BODY, 0, FakeClock())
    *_, usage, done, _ = reply.body.split(b"\n\n")
    assert json.loads(usage[6:])["usage"]["total_tokens"] == 17
    assert done == b"data: [DONE]"


async def test_a_stream_takes_the_time_that_its_tokens_take() -> None:
    """Not much less, and in more parts than at once; how much more is the machine's business."""
    began = time.monotonic()
    reply, _ = await replayed(long_body(400), 2000, SystemClock())
    took = time.monotonic() - began
    at_once, _ = await replayed(long_body(400), 0, SystemClock())
    assert took >= 0.1
    assert len(reply.parts) > len(at_once.parts)
    assert reply.body == at_once.body


async def test_a_large_answer_lets_others_have_their_turn() -> None:
    """It is made and sent in parts even where there is no pace."""
    reply, _ = await replayed(long_body(40_000), 0, FakeClock())
    assert max(map(len, reply.parts)) < 64 * 1024
