"""One upstream's answer, read until its worth is known."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.answer import WHOLE_BODY_BYTES
from app.domain.call.request import InferenceRequest
from app.domain.routing.attempt import Verdict
from app.domain.routing.deployment import Timeouts
from app.errors import (
    UpstreamDisconnected,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from app.stages.upstream.opening import Opened, open_answer
from app.wire.openai import read_request
from app.wire.routes import match
from tests.fakes.clock import FakeClock
from tests.fakes.house import deployment
from tests.fakes.upstream import ScriptedResponse, ScriptedUpstream
from tests.streams.recordings import THROTTLED, Recording, pieces, recording

TIMEOUTS = Timeouts(first_byte=20.0, idle=5.0)
EAST = deployment("east", timeouts=TIMEOUTS)
CHAT = read_request(match("POST", "/v1/chat/completions", ""), b'{"model":"m","stream":true}')
PLAIN = read_request(match("POST", "/v1/chat/completions", ""), b'{"model":"m"}')
RESPONSES = read_request(match("POST", "/v1/responses", ""), b'{"model":"m","stream":true}')
STORED = read_request(match("POST", "/v1/responses", ""), b'{"model":"m"}')
AGAIN = read_request(match("GET", "/v1/responses/resp_1", "stream=true"), b"")
UNSTORED = read_request(match("POST", "/v1/responses", ""), b'{"model":"m","store":false}')


@pytest.fixture
def upstream() -> ScriptedUpstream:
    return ScriptedUpstream(FakeClock())


async def opened(upstream: ScriptedUpstream, request: InferenceRequest = CHAT) -> Opened:
    return await open_answer(upstream, EAST, request, {"accept": "application/json"})


def the_response(upstream: ScriptedUpstream) -> ScriptedResponse:
    (response,) = upstream.responses
    return response


async def test_a_short_answer_is_read_whole(upstream: ScriptedUpstream) -> None:
    """Until it is here, another deployment can still take over."""
    upstream("east").completes("Hello")
    result = await opened(upstream, PLAIN)
    assert result.verdict is Verdict.ACCEPT
    assert result.answer is not None
    assert b"Hello" in result.answer.head
    assert result.answer.rest is None
    assert upstream.asked[0].headers == {"accept": "application/json"}


@pytest.mark.parametrize(
    ("request_", "response_id"),
    [(STORED, "resp_7"), (UNSTORED, None), (PLAIN, None)],
    ids=["stored", "not stored", "chat"],
)
async def test_only_stored_responses_have_an_id_to_remember(
    upstream: ScriptedUpstream, request_: InferenceRequest, response_id: str | None
) -> None:
    """Every answer has an id; only those that can be asked for again are claimed."""
    upstream("east").completes(answer_id="resp_7")
    result = await opened(upstream, request_)
    assert result.answer is not None
    assert result.answer.response_id == response_id


@pytest.mark.parametrize("status", [0, 99, 600, 799, 999])
async def test_a_status_that_http_does_not_have_is_a_failure(
    upstream: ScriptedUpstream, status: int
) -> None:
    """No server could pass it on: the client would find its connection closed."""
    upstream("east").answers(status, code="odd")
    result = await opened(upstream, PLAIN)
    assert result.verdict is Verdict.FAILED
    assert isinstance(result.error, UpstreamProtocolError)
    assert the_response(upstream).closed


async def test_a_stream_is_read_up_to_its_first_content(upstream: ScriptedUpstream) -> None:
    """What comes before waits; what comes after is left to the relay."""
    upstream("east").streams("Hel", "lo")
    result = await opened(upstream)
    assert result.answer is not None
    assert result.answer.is_stream
    assert len(result.answer.frames) == 2
    assert b"Hel" in result.answer.frames[-1]
    assert len(the_response(upstream).patience) == 2


async def test_a_streams_id_is_known_before_its_content(upstream: ScriptedUpstream) -> None:
    """Nobody can ask for a response before its owner is known."""
    upstream("east").streams("Hi")
    result = await opened(upstream, RESPONSES)
    assert result.answer is not None
    assert result.answer.response_id == "resp_1"


async def test_no_answer_is_a_failure(upstream: ScriptedUpstream) -> None:
    """The failure is kept for the client, should nobody else answer."""
    upstream("east").fails(UpstreamUnreachable)
    result = await opened(upstream)
    assert (result.verdict, result.status) == (Verdict.FAILED, None)
    assert isinstance(result.error, UpstreamUnreachable)
    assert result.code == "upstream_unreachable"
    result.close()


@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [
        (429, "RateLimitReached", Verdict.THROTTLED),
        (500, "server_error", Verdict.FAILED),
        (401, "401", Verdict.MISCONFIGURED),
        (400, "context_length_exceeded", Verdict.TOO_LONG),
        (400, "content_filter", Verdict.ACCEPT),
    ],
)
async def test_a_refusal_is_judged_by_status_and_code(
    upstream: ScriptedUpstream, status: int, code: str, verdict: Verdict
) -> None:
    """Its body is read first, because it says which kind it is."""
    upstream("east").answers(status, code=code, retry_after_ms=800)
    result = await opened(upstream)
    assert (result.verdict, result.status, result.code) == (verdict, status, code)
    assert result.retry_after_s == 0.8
    assert result.answer is not None


async def test_a_body_that_no_sdk_can_read_is_not_passed_on(upstream: ScriptedUpstream) -> None:
    """A proxy's HTML page is nobody's answer; a 4xx of the request's own is."""
    page = b"<html>Service Unavailable</html>"
    upstream("east").answers(503, body=page).answers(422, body=page)
    assert (await opened(upstream)).answer is None
    assert (await opened(upstream)).answer is not None


async def test_an_event_stream_of_a_refusal_is_read_as_a_body(upstream: ScriptedUpstream) -> None:
    """A 429 is a 429, whatever its content type claims."""
    upstream("east").answers(429, headers={"content-type": "text/event-stream"})
    assert (await opened(upstream)).verdict is Verdict.THROTTLED


@pytest.mark.parametrize("one", THROTTLED, ids=lambda one: one.name)
@given(cuts=st.lists(st.integers(0, 1 << 10), max_size=12))
def test_a_throttled_stream_is_no_answer(one: Recording, cuts: list[int]) -> None:
    """Both orders, all spellings, however cut: the wait is in the headers of the 200."""

    async def story() -> None:
        upstream = ScriptedUpstream(FakeClock())
        upstream("east").plays(*pieces(one.data, cuts), headers={"retry-after": "7"})
        result = await opened(upstream, RESPONSES)
        assert (result.verdict, result.code) == (Verdict.THROTTLED, one.error)
        assert (result.status, result.retry_after_s, result.answer) == (200, 7.0, None)

    asyncio.run(story())


async def test_a_failed_response_without_a_reason_is_a_failure(upstream: ScriptedUpstream) -> None:
    """When nothing follows that names one."""
    first, _ = recording("throttled_azure").data.split(b"\n\n", 1)
    upstream("east").plays(first + b"\n\n")
    result = await opened(upstream, RESPONSES)
    assert (result.verdict, result.code, result.answer) == (Verdict.FAILED, None, None)


@pytest.mark.parametrize("name", [one.name for one in THROTTLED])
async def test_a_failure_that_is_told_again_is_no_failure(
    upstream: ScriptedUpstream, name: str
) -> None:
    """Whoever keeps a response that was refused or failed once is well, and nobody else has it."""
    upstream("east").plays(recording(name).data)
    result = await opened(upstream, AGAIN)
    assert (result.verdict, result.status) == (Verdict.ACCEPT, 200)
    assert result.answer is not None
    assert result.answer.frames


async def test_what_is_told_again_waits_for_no_content(upstream: ScriptedUpstream) -> None:
    """There is nobody else to ask instead; without a frame it is a failure all the same."""
    first, _ = recording("responses").data.split(b"\n\n", 1)
    upstream("east").plays(first + b"\n\n").stalls(after=1)
    assert (await opened(upstream, AGAIN)).verdict is Verdict.ACCEPT
    upstream("east").plays()
    assert (await opened(upstream, AGAIN)).verdict is Verdict.FAILED


async def test_an_error_of_the_callers_in_a_stream_is_its_answer(
    upstream: ScriptedUpstream,
) -> None:
    """It would come again anywhere."""
    upstream("east").plays(b'data: {"error":{"code":"content_filter","message":"no"}}\n\n')
    result = await opened(upstream)
    assert result.verdict is Verdict.ACCEPT
    assert result.answer is not None
    assert len(result.answer.frames) == 1


@pytest.mark.parametrize("parts", [0, 1])
async def test_a_stream_that_ends_before_content_is_a_failure(
    upstream: ScriptedUpstream, parts: int
) -> None:
    """A role alone is no answer."""
    upstream("east").streams("Hello").ends_after(parts)
    result = await opened(upstream)
    assert result.verdict is Verdict.FAILED
    assert isinstance(result.error, UpstreamDisconnected)
    assert the_response(upstream).closed


async def test_an_empty_completion_is_an_answer(upstream: ScriptedUpstream) -> None:
    """A model may have nothing to say."""
    upstream("east").plays(b"data: [DONE]\n\n")
    assert (await opened(upstream)).verdict is Verdict.ACCEPT


@pytest.mark.parametrize(
    ("request_", "status", "patience"), [(CHAT, 200, 20.0), (PLAIN, 200, 5.0), (CHAT, 500, 5.0)]
)
async def test_silence_is_a_timeout(
    upstream: ScriptedUpstream, request_: InferenceRequest, status: int, patience: float
) -> None:
    """A first token may take longer than the middle of a body."""
    if status == 200 and request_.stream:
        upstream("east").streams("Hello").stalls(after=1)
    else:
        upstream("east").answers(status, body=b"{").stalls(after=1)
    result = await opened(upstream, request_)
    assert (result.verdict, result.code) == (Verdict.FAILED, "upstream_timeout")
    assert isinstance(result.error, UpstreamTimeout)
    assert f"for {patience:g} s" in result.error.message
    assert the_response(upstream).patience[-1] == patience
    assert the_response(upstream).closed


async def test_a_body_may_come_long_after_its_headers(upstream: ScriptedUpstream) -> None:
    """Without a stream nothing is heard until the whole answer was made, be the headers early."""
    upstream("east").completes("Hello").pauses(599.0, before=0)
    result = await opened(upstream, PLAIN)
    assert result.verdict is Verdict.ACCEPT
    assert the_response(upstream).patience == [600.0, 5.0]


@pytest.mark.parametrize("request_", [CHAT, PLAIN], ids=["stream", "body"])
async def test_a_broken_answer_is_a_failure(
    upstream: ScriptedUpstream, request_: InferenceRequest
) -> None:
    """Half a body is no body; what was known of it is kept for the record."""
    script = upstream("east").streams("Hi") if request_.stream else upstream("east").completes()
    script.cuts_after(1)
    result = await opened(upstream, request_)
    assert (result.verdict, result.status) == (Verdict.FAILED, 200)
    assert isinstance(result.error, UpstreamError)
    assert the_response(upstream).closed


async def test_an_endless_first_event_is_a_failure(upstream: ScriptedUpstream) -> None:
    """Memory is bounded before any content, too."""
    upstream("east").plays(*[b"x" * 100_000] * 50)
    result = await opened(upstream)
    assert (result.verdict, result.code) == (Verdict.FAILED, "upstream_protocol_error")
    assert len(the_response(upstream).patience) < 15
    assert the_response(upstream).closed


async def test_an_endless_prelude_is_a_failure(upstream: ScriptedUpstream) -> None:
    """Many events that say nothing are no answer either."""
    upstream("east").plays(*[b": nothing yet " + b"x" * 100_000 + b"\n\n"] * 50)
    result = await opened(upstream)
    assert (result.verdict, result.code) == (Verdict.FAILED, "upstream_protocol_error")
    assert isinstance(result.error, UpstreamError)
    assert result.error.message == "The upstream's stream has no content within 1 MiB."
    assert len(the_response(upstream).patience) < 15
    assert the_response(upstream).closed


async def test_a_large_body_is_not_kept_whole(upstream: ScriptedUpstream) -> None:
    """Beyond the bound the rest stays with the upstream until somebody takes it."""
    upstream("east").answers(200, body=b"x" * (WHOLE_BODY_BYTES + 1))
    result = await opened(upstream, PLAIN)
    assert result.answer is not None
    assert result.answer.rest is the_response(upstream)
    assert not the_response(upstream).closed


async def test_a_large_stored_response_has_an_id_too(upstream: ScriptedUpstream) -> None:
    """Generated images make responses large; they can be asked for again all the same."""
    parts = [b'{"id": "resp_7", "output": "', b"A" * WHOLE_BODY_BYTES, b"A" * 1000, b'"}']
    upstream("east").plays(*parts, headers={"content-type": "application/json"})
    result = await opened(upstream, STORED)
    assert result.answer is not None
    assert result.answer.response_id == "resp_7"


async def test_a_cancelled_opening_lets_go(upstream: ScriptedUpstream) -> None:
    """Whoever cancels while an answer is being read leaves no connection open."""
    upstream("east").streams("a", "b")
    task = asyncio.create_task(opened(upstream))
    while not upstream.responses or not upstream.responses[0].patience:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert the_response(upstream).closed
