"""An accepted answer on its way to the client."""

from __future__ import annotations

import asyncio
import json

import pytest

from app.answer import WHOLE_BODY_BYTES
from app.domain.call.request import InferenceRequest
from app.domain.quota.usage import Usage
from app.domain.routing.deployment import Timeouts
from app.errors import ClientGone, UpstreamDisconnected, UpstreamProtocolError, UpstreamTimeout
from app.observation import Observation
from app.stages.relay import Relay, kept_frames
from app.stages.upstream.opening import open_answer
from app.wire.openai import read_request
from app.wire.routes import match
from app.wire.sse import HEARTBEAT
from tests.fakes.answers import END, frames
from tests.fakes.call import FakeCall
from tests.fakes.clock import FakeClock
from tests.fakes.house import deployment
from tests.fakes.reply import RecordingReply
from tests.fakes.upstream import ScriptedUpstream

CHAT = read_request(match("POST", "/v1/chat/completions", ""), b'{"model":"m","stream":true}')
WANTS = read_request(
    match("POST", "/v1/chat/completions", ""),
    b'{"model":"m","stream":true,"stream_options":{"include_usage":true}}',
)
PLAIN = read_request(match("POST", "/v1/chat/completions", ""), b'{"model":"m"}')
RESPONSES = read_request(match("POST", "/v1/responses", ""), b'{"model":"m","stream":true}')
RETOLD = read_request(match("GET", "/v1/responses/resp_1", "stream=true"), b"")
WORDS = ("Hel", "lo", ", ", "world")
ERROR_EVENT = b'data: {"error":{"code":"internal_server_error","message":"Broken."}}\n\n'


class Passage:
    """One answer from a scripted upstream to a recording reply."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.upstream = ScriptedUpstream(self.clock)
        self.east = self.upstream("east")
        self.observation = Observation(FakeCall(), self.clock)
        self.reply = RecordingReply()

    async def play(self, request: InferenceRequest = CHAT, *, idle: float = 60.0) -> None:
        asked = deployment("east", timeouts=Timeouts(idle=idle))
        opened = await open_answer(self.upstream, asked, request, {})
        assert opened.answer is not None
        try:
            await Relay(heartbeat_s=15.0).pass_on(opened.answer, self.reply, self.observation)
        finally:
            opened.close()

    @property
    def heartbeats(self) -> int:
        return self.reply.parts.count(HEARTBEAT)


@pytest.fixture
def passage() -> Passage:
    return Passage()


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("request_", [WANTS, RESPONSES], ids=["chat", "responses"])
async def test_a_stream_passes_byte_for_byte(
    passage: Passage, request_: InferenceRequest, *, at_once: bool
) -> None:
    """A caller that asked for everything gets everything, and the usage is known."""
    passage.reply = RecordingReply(takes_first=at_once)
    passage.east.streams(*WORDS, usage=(9, 4))
    await passage.play(request_)
    sent = frames(request_, WORDS, (9, 4))
    assert passage.reply.body == b"".join(sent)
    assert passage.reply.finished
    meter = passage.observation.meter
    assert (meter.usage, meter.frames, meter.bytes) == (
        Usage(9, 0, 4),
        len(sent),
        len(passage.reply.body),
    )
    assert meter.done


async def test_the_usage_frame_that_we_asked_for_is_taken_out(passage: Passage) -> None:
    """It is counted, and the client's stream is as if nobody had asked."""
    passage.east.streams(*WORDS, usage=(9, 4))
    await passage.play(CHAT)
    without = frames(CHAT, WORDS, None)
    assert passage.reply.body == b"".join(without)
    assert passage.observation.meter.usage == Usage(9, 0, 4)
    assert passage.observation.meter.frames == len(without)


async def test_each_frame_goes_out_when_it_comes(passage: Passage) -> None:
    """Tokens are not gathered: what came apart leaves apart."""
    passage.east.streams(*WORDS)
    await passage.play(WANTS)
    assert passage.reply.parts[1:] == frames(WANTS, WORDS, (9, 2))[2:]


async def test_the_end_is_shown_before_it_is_sent(passage: Passage) -> None:
    """Whoever remembers what was made has done so when the client learns of it; and once only."""
    shown: list[tuple[bytes, int]] = []

    async def ending(frames_: bytes) -> None:
        shown.append((frames_, len(passage.reply.parts)))

    sent = frames(RESPONSES, WORDS, (9, 4))
    for cut in (sent[:-1], sent):
        passage.reply, shown[:] = RecordingReply(), []
        passage.observation = Observation(FakeCall(), passage.clock)
        passage.east.plays(*(b"".join(part) for part in (cut, sent[len(cut) :]) if part))
        opened = await open_answer(passage.upstream, deployment("east"), RESPONSES, {})
        assert opened.answer is not None
        opened.answer.ending = ending
        await Relay().pass_on(opened.answer, passage.reply, passage.observation)
        opened.close()
        ((told, parts_before),) = shown
        assert told == passage.reply.parts[parts_before]
        assert b"response.completed" in told
        assert passage.reply.body == b"".join(sent)


@pytest.mark.parametrize("request_", [CHAT, RESPONSES], ids=["chat", "responses"])
async def test_a_stream_that_breaks_is_broken_off(request_: InferenceRequest) -> None:
    """Cut at every frame after the first content: no end is invented and nothing is added."""
    sent = frames(request_, WORDS, None)
    for parts in range(3, len(sent)):
        for ending in ("cut", "end"):
            passage = Passage()
            script = passage.east.streams(*WORDS, usage=None)
            script.cuts_after(parts) if ending == "cut" else script.ends_after(parts)
            await passage.play(request_)
            assert passage.reply.body == b"".join(sent[:parts])
            assert isinstance(passage.reply.broken, UpstreamDisconnected)
            assert passage.observation.broken is passage.reply.broken
            assert not passage.reply.finished
            assert not passage.observation.meter.done


async def test_a_break_after_the_end_is_none(passage: Passage) -> None:
    """The answer was whole; how its connection ends is not the client's business."""
    passage.east.streams(*WORDS).cuts_after(8)
    await passage.play(WANTS)
    assert passage.reply.body.endswith(END)
    assert passage.reply.finished
    assert passage.observation.broken is None


@pytest.mark.parametrize("tail", [b"data: [DONE]", b"data: [DONE]\n", b"data: [DONE]\r\r"])
async def test_an_end_without_its_blank_line_is_an_end(passage: Passage, tail: bytes) -> None:
    """SDKs take a last event that the connection's end completes, and so do we."""
    passage.east.plays(*frames(CHAT, WORDS, None)[:-1], tail)
    await passage.play()
    assert passage.reply.finished


async def test_half_an_event_is_not_left_before_the_error(passage: Passage) -> None:
    """Our own error event must begin on a line of its own."""
    passage.east.plays(*frames(CHAT, WORDS, None)[:4], b'data: {"id":"chatcmpl-1","cho')
    await passage.play()
    assert passage.observation.broken is not None
    assert passage.reply.body == b"".join(frames(CHAT, WORDS, None)[:4])


async def test_an_upstream_that_lingers_after_the_end_keeps_nobody_waiting(
    passage: Passage,
) -> None:
    """The answer is whole: neither heartbeats nor an error follow."""
    whole = frames(CHAT, WORDS, None)
    passage.east.plays(*whole).stalls(after=len(whole))
    began = passage.clock.now()
    await passage.play()
    assert passage.reply.finished
    assert passage.heartbeats == 0
    assert passage.observation.broken is None
    assert passage.clock.now() - began < 15


async def test_an_error_of_the_upstreams_passes_and_is_remembered(passage: Passage) -> None:
    """The client sees the upstream's own words, once, and no second error of ours."""
    sent = [*frames(CHAT, WORDS, None)[:4], ERROR_EVENT]
    passage.east.plays(*sent)
    await passage.play()
    assert passage.reply.body == b"".join(sent)
    assert passage.reply.finished
    assert passage.reply.broken is None
    assert passage.observation.meter.error == "internal_server_error"


@pytest.mark.parametrize("ending", [b"", ERROR_EVENT])
async def test_what_is_told_again_may_have_failed(passage: Passage, ending: bytes) -> None:
    """Or been cancelled: then no event says so. Neither is anybody's error now."""
    sent = b"".join(frames(RESPONSES, WORDS, None)[:4]) + ending
    passage.east.plays(sent)
    await passage.play(RETOLD)
    assert passage.reply.body == sent
    assert passage.reply.finished
    assert (passage.observation.meter.done, passage.observation.meter.error) == (True, None)


async def test_what_is_told_again_may_break(passage: Passage) -> None:
    """A connection that breaks now is this deployment's error, and told."""
    passage.east.streams(*WORDS, usage=None).cuts_after(3)
    await passage.play(RETOLD)
    assert isinstance(passage.reply.broken, UpstreamDisconnected)


CODED = b'data: {"type":"error","error":{"code":"internal_error"}}\n\n'
UNCODED = b'data: {"type":"response.failed","response":{"id":"resp_1","error":null}}\n\n'


@pytest.mark.parametrize("pair", [(UNCODED, CODED), (CODED, UNCODED)])
async def test_an_error_told_twice_keeps_its_code(
    passage: Passage, pair: tuple[bytes, bytes]
) -> None:
    """`error` and `response.failed` come as a pair; either may be the one without a code."""
    passage.east.plays(*frames(RESPONSES, WORDS, None)[:3], *pair)
    await passage.play(RESPONSES)
    assert passage.observation.meter.error == "internal_error"


async def test_words_in_place_of_a_code_are_passed_on_and_not_remembered(
    passage: Passage,
) -> None:
    """Some servers put the caller's text there, or have a sentence instead of an error object."""
    sentence = b'data: {"error":"Cannot read: my secret prompt"}\n\n'
    passage.east.plays(*frames(CHAT, WORDS, None)[:4], sentence)
    await passage.play()
    assert passage.reply.body.endswith(sentence)
    assert passage.observation.meter.error == "upstream_error"


async def test_silence_is_filled(passage: Passage) -> None:
    """A comment every fifteen seconds keeps proxies and clients from giving up."""
    passage.east.streams(*WORDS).pauses(50.0, before=4)
    await passage.play(WANTS)
    assert passage.heartbeats == 3
    others = [part for part in passage.reply.parts if part != HEARTBEAT]
    assert b"".join(others) == b"".join(frames(WANTS, WORDS, (9, 2)))


async def test_no_comment_stands_inside_an_event(passage: Passage) -> None:
    """A silence in the middle of a frame is filled before the frame."""
    opening, first, second, *rest = frames(WANTS, WORDS, None)
    passage.east.plays(opening, first, second[:9], second[9:], *rest).pauses(20.0, before=3)
    await passage.play(WANTS)
    assert passage.heartbeats == 1
    assert passage.reply.body == b"".join([opening, first, HEARTBEAT, second, *rest])


async def test_silence_does_not_last_for_ever(passage: Passage) -> None:
    """After the idle limit the stream is broken off; the last wait fills nothing."""
    passage.east.streams(*WORDS).stalls(after=4)
    before = passage.clock.now()
    await passage.play(idle=40.0)
    assert isinstance(passage.reply.broken, UpstreamTimeout)
    assert passage.clock.now() - before == 40.0
    assert passage.heartbeats == 2


async def test_pauses_do_not_add_up(passage: Passage) -> None:
    """The idle limit is for one silence: a slow model may take hours."""
    passage.east.streams(*WORDS)
    for part in (7, 6, 5, 4):
        passage.east.pauses(39.0, before=part)
    await passage.play(idle=40.0)
    assert passage.reply.finished
    assert passage.heartbeats == 8


async def test_an_endless_event_is_broken_off(passage: Passage) -> None:
    """Memory is bounded in the middle of a stream."""
    passage.east.plays(*frames(CHAT, WORDS, None)[:3], *[b"x" * 100_000] * 20)
    await passage.play()
    assert isinstance(passage.reply.broken, UpstreamProtocolError)


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_whole_answer_has_its_length_and_usage(passage: Passage, *, at_once: bool) -> None:
    """What was read whole is sent whole."""
    passage.reply = RecordingReply(takes_first=at_once)
    passage.east.completes("Hello", usage=(9, 2))
    await passage.play(PLAIN)
    assert passage.reply.headers["content-length"] == str(len(passage.reply.body))
    assert b"Hello" in passage.reply.body
    assert passage.observation.meter.usage == Usage(9, 0, 2)
    assert passage.reply.finished


async def test_an_empty_answer_is_an_answer(passage: Passage) -> None:
    """No part is sent of a body that has none."""
    passage.east.answers(204, body=b"")
    await passage.play(PLAIN)
    assert (passage.reply.status, passage.reply.parts, passage.reply.finished) == (204, [], True)


async def test_a_large_body_passes_as_it_comes(passage: Passage) -> None:
    """Beyond what is kept it is streamed, and the usage is found at its end."""
    vectors = json.dumps({"data": ["A" * 60_000] * 40})[:-1].encode()
    body = vectors + b', "usage": {"prompt_tokens": 8, "total_tokens": 8}}'
    assert len(body) > 2 * WHOLE_BODY_BYTES
    parts = [body[start : start + 50_000] for start in range(0, len(body), 50_000)]
    passage.east.plays(*parts, headers={"content-type": "application/json"})
    await passage.play(PLAIN)
    assert passage.reply.body == body
    assert "content-length" not in passage.reply.headers
    assert len(passage.reply.parts) > 10
    assert passage.observation.meter.usage == Usage(8)
    assert passage.observation.meter.bytes == len(body)


@pytest.mark.parametrize("ending", [UpstreamDisconnected, UpstreamTimeout])
async def test_a_large_body_that_breaks_is_broken_off(
    passage: Passage, ending: type[UpstreamDisconnected | UpstreamTimeout]
) -> None:
    """The client must not take what it has for the whole."""
    script = passage.east.plays(
        *[b"x" * 100_000] * 20, headers={"content-type": "application/json"}
    )
    script.cuts_after(15) if ending is UpstreamDisconnected else script.stalls(after=15)
    await passage.play(PLAIN)
    assert isinstance(passage.reply.broken, ending)
    assert len(passage.reply.body) == 1_500_000
    assert passage.observation.meter.usage is None


async def test_only_the_callers_headers_pass(passage: Passage) -> None:
    """A member's limits and identity are not the tenant's; who served is said in our own words."""
    theirs = {
        "openai-processing-ms": "12",
        "openai-model": "gpt-4o-2024-08-06",
        "x-ratelimit-remaining-tokens": "61353",
        "x-ms-region": "West Europe",
        "x-ms-deployment-name": "prod",
        "apim-request-id": "a",
        "x-request-id": "theirs",
        "set-cookie": "a=b",
        "content-encoding": "identity",
        "transfer-encoding": "chunked",
    }
    passage.east.streams("Hello", headers=theirs)
    await passage.play()
    assert passage.reply.headers == {
        "content-type": "text/event-stream; charset=utf-8",
        "openai-processing-ms": "12",
        "openai-model": "gpt-4o-2024-08-06",
        "x-spillgate-deployment": "east",
        "x-spillgate-spill": "none",
        "x-spillgate-attempts": "0",
        "x-spillgate-cache": "bypass",
    }


async def test_a_client_that_leaves_ends_it(passage: Passage) -> None:
    """Nothing more is read for nobody."""
    passage.east.streams(*WORDS)
    passage.reply = RecordingReply(leaves_after=1)
    with pytest.raises(ClientGone):
        await passage.play()
    (response,) = passage.upstream.responses
    assert response.closed
    assert len(response.patience) == 3
    assert passage.observation.meter.bytes == len(passage.reply.body)


async def test_nothing_is_read_that_cannot_be_sent(passage: Passage) -> None:
    """A slow reader holds its upstream back: one read is waiting to be sent, no more."""
    passage.east.streams(*WORDS)
    room = asyncio.Event()
    send = passage.reply.send

    async def send_when_there_is_room(data: bytes) -> None:
        await room.wait()
        await send(data)

    passage.reply.send = send_when_there_is_room  # type: ignore[method-assign]  # a slow client
    task = asyncio.create_task(passage.play())
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(passage.upstream.responses[0].patience) == 2
    room.set()
    await task
    assert passage.reply.finished


def test_plain_frames_are_joined_unread() -> None:
    """What holds nothing of note costs one search; what does is read."""
    passage = Passage()
    meter = passage.observation.meter
    both = b"data: a\n\ndata: b\n\n"
    assert kept_frames(both, 2, CHAT, meter) is both
    assert kept_frames(b"", 0, CHAT, meter) == b""
    assert (meter.frames, meter.usage, meter.done) == (2, None, False)
