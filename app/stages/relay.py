"""Pass an accepted answer on, byte for byte, while counting what it says about itself.

Two things differ from what the upstream sent: the usage frame that the gateway asked for is taken
out, and `: ping` comments fill silences. A stream that breaks off ends with an error event, never
with an invented `[DONE]`.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from app.answer import Answer
from app.domain.call.request import InferenceRequest
from app.domain.routing.told import code_told
from app.errors import UpstreamDisconnected, UpstreamError, UpstreamTimeout
from app.headers import add_own_headers
from app.observation import Meter, Observation
from app.ports import Reply, UpstreamResponse
from app.wire.events import Kind, is_notable, is_plain, plain_frames, read_event
from app.wire.rate_limits import RateLimits
from app.wire.sse import HEARTBEAT, FrameBuffer, frames_of
from app.wire.usage import usage_of_body, usage_of_tail

#: Response headers of an upstream that are the caller's business. A member's limits
#: (`x-ratelimit-*`) and identity (`x-ms-*`, `azureml-*`, `apim-*`) are not.
_PASSED_ON = ("content-type", "openai-processing-ms", "openai-version", "openai-model")
_TAIL_BYTES = 64 * 1024
#: How long an upstream may keep its connection open after the answer's end, in seconds.
_LINGER_S = 1.0


class Relay:
    """From the upstream to the client, with its pace: nothing is read that cannot be sent."""

    def __init__(self, *, heartbeat_s: float = 15.0) -> None:
        """`heartbeat_s` seconds of silence in a stream are filled with a comment."""
        self._heartbeat_s = heartbeat_s
        self._rate_limits = RateLimits()

    def pass_on(
        self, answer: Answer, reply: Reply, observation: Observation
    ) -> Coroutine[Any, Any, None]:
        """Send the whole answer. A break is reported to the client and kept in `observation`."""
        headers = self._headers(answer, observation)
        if answer.rest is None:
            return _whole_body(answer, headers, reply, observation.meter)
        return self._as_it_comes(answer, answer.rest, headers, reply, observation)

    async def _as_it_comes(
        self,
        answer: Answer,
        rest: UpstreamResponse,
        headers: dict[str, str],
        reply: Reply,
        observation: Observation,
    ) -> None:
        try:
            if answer.is_stream:
                await self._frames(answer, rest, headers, reply, observation.meter)
            else:
                await reply.start(answer.status, headers)
                await _large_body(answer, rest, reply, observation.meter)
        except UpstreamError as error:
            observation.broken = error
            await reply.break_off(error)
        else:
            await reply.finish()

    def _headers(self, answer: Answer, observation: Observation) -> dict[str, str]:
        upstream = answer.headers
        headers = {}
        for name in _PASSED_ON:
            if name in upstream:
                headers[name] = upstream[name]
        headers["x-spillgate-deployment"] = answer.deployment.name
        add_own_headers(headers, observation, self._rate_limits)
        return headers

    async def _frames(
        self,
        answer: Answer,
        rest: UpstreamResponse,
        headers: dict[str, str],
        reply: Reply,
        meter: Meter,
    ) -> None:
        request, flow = answer.request, _Flow(answer.buffer, reply, meter)
        first, ended = answer.take_frames(), False
        frames = kept_frames(b"".join(first), len(first), request, meter)
        if frames and not meter.done and reply.put_first(answer.status, headers, frames):
            meter.bytes += len(frames)
            frames = b""
        else:
            await reply.start(answer.status, headers)
        while not meter.done and not ended:
            await _send(frames, reply, meter)
            ended = not await self._poured(answer, rest, reply, flow)
            joined, number = _last(answer) if ended else flow.last
            frames = kept_frames(joined, number, request, meter)
        if not meter.done and not request.is_retold:  # a cancelled response just ends
            message = "The upstream ended the stream before the answer was complete."
            raise UpstreamDisconnected(message)
        meter.done = True
        await answer.before_end(frames)
        await _send(frames, reply, meter)
        if not ended:
            await _rest_after_end(answer, rest, reply, meter)

    async def _poured(
        self, answer: Answer, rest: UpstreamResponse, reply: Reply, flow: _Flow
    ) -> bool:
        """Whether frames came that are more than plain content; False at the end of all.

        Silences are filled until they are longer than allowed.
        """
        idle, silent = answer.deployment.timeouts.idle, 0.0
        while True:
            patience, heard = min(self._heartbeat_s, idle - silent), flow.heard()
            try:
                return await rest.pour(flow.take, patience)
            except TimeoutError:
                silent = patience if flow.heard() != heard else silent + patience
            if silent >= idle:
                raise UpstreamTimeout(f"The upstream sent nothing for {idle:g} s.")
            await reply.send(HEARTBEAT)


class _Flow:
    """Frames on their way, sent where they are read as long as they are plain content."""

    __slots__ = ("_buffer", "_meter", "_reply", "last")

    def __init__(self, buffer: FrameBuffer, reply: Reply, meter: Meter) -> None:
        self._buffer = buffer
        self._meter = meter
        self._reply = reply
        self.last: tuple[bytes, int] = b"", 0  # what was not sent: frames, and their number

    def heard(self) -> int:
        """Bytes that were sent or wait for the rest of their frame: more, once anything came."""
        return self._meter.bytes + len(self._buffer.unfinished)

    def take(self, data: bytes) -> bool:
        """Send what is whole of it; False where that has to wait, or there is more to be done."""
        frames, number = data, 0 if self._buffer.unfinished else plain_frames(data)
        if not number:
            frames, number = self._buffer.joined(data)
            if not frames:
                return True
            if not is_plain(frames, number):
                self.last = frames, number
                return False
        if not self._reply.put(frames):
            self.last = frames, number
            return False
        meter = self._meter
        meter.frames += number
        meter.bytes += len(frames)
        meter.relayed.add(frames)
        return True


async def _rest_after_end(
    answer: Answer, rest: UpstreamResponse, reply: Reply, meter: Meter
) -> None:
    """What an upstream still says after the end; how its connection ends is our business."""
    request = answer.request
    while True:
        try:
            data = await rest.read(_LINGER_S)
        except (UpstreamError, TimeoutError):
            return
        joined, number = answer.buffer.joined(data) if data else _last(answer)
        await _send(kept_frames(joined, number, request, meter), reply, meter)
        if not data:
            return


def _last(answer: Answer) -> tuple[bytes, int]:
    """What the connection's end makes a frame of."""
    last = answer.buffer.last()
    return b"".join(last), len(last)


def kept_frames(frames: bytes, number: int, request: InferenceRequest, meter: Meter) -> bytes:
    """What the client gets of so many frames; plain content is neither cut up nor decoded."""
    if not frames:
        return b""
    meter.frames += number
    meter.relayed.add(frames)
    if is_plain(frames, number):
        return frames
    each = frames_of(frames)
    kept = [frame for frame in each if is_plain(frame, 1) or _keep(frame, request, meter)]
    return frames if len(kept) == len(each) else b"".join(kept)


def _keep(frame: bytes, request: InferenceRequest, meter: Meter) -> bool:
    if not is_notable(frame):
        return True
    event = read_event(frame)
    meter.usage = event.usage or meter.usage
    if event.kind is Kind.ERROR:
        meter.done = True
        if not request.is_retold:
            meter.error = code_told(event.code) or meter.error or "upstream_error"
    elif event.kind is Kind.DONE:
        meter.done = True
    removed = event.only_usage and request.adds_usage
    meter.frames -= removed
    return not removed


async def _whole_body(answer: Answer, headers: dict[str, str], reply: Reply, meter: Meter) -> None:
    """A body that is here: the client has it before anybody reads in it, where it can be so."""
    body = answer.head
    headers["content-length"] = str(len(body))
    is_sent = reply.put_first(answer.status, headers, body)
    if not is_sent:
        await reply.start(answer.status, headers)
    meter.usage = meter.usage or usage_of_body(body)
    relayed = meter.relayed
    if relayed.edges is not None:
        relayed.edges.body = body
    if meter.usage is None:
        relayed.add_body(body)
    if not is_sent and body:
        await reply.send(body)
    meter.bytes += len(body)
    await reply.finish()


async def _large_body(answer: Answer, rest: UpstreamResponse, reply: Reply, meter: Meter) -> None:
    """A body too large to keep: passed on as it comes, its end remembered for the usage."""
    data, tail = answer.head, b""
    while data:
        await _send(data, reply, meter)
        tail = (tail + data)[-_TAIL_BYTES:]
        try:
            data = await rest.read(answer.deployment.timeouts.idle)
        except TimeoutError:
            message = "The upstream stopped in the middle of its answer."
            raise UpstreamTimeout(message) from None
    meter.usage = usage_of_tail(tail)


async def _send(data: bytes, reply: Reply, meter: Meter) -> None:
    if data:
        await reply.send(data)
        meter.bytes += len(data)
