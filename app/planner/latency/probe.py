"""Asks a deployment once, as the gateway would, and takes the times of its stream."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from app.domain.call.request import InferenceRequest
from app.domain.quota.usage import Usage
from app.domain.routing.attempt import Verdict, judge, judge_stream_error
from app.domain.routing.deployment import Deployment
from app.errors import Overloaded, UpstreamError
from app.planner.latency.sample import Ending, Sample
from app.planner.upstream_cause import told
from app.ports import Clock, Upstream, UpstreamResponse
from app.wire.azure import error_code
from app.wire.events import Kind, read_event
from app.wire.sse import FrameBuffer

_MOST_ERROR_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Probe:
    """Sends requests to deployments, one by one or beside each other."""

    upstream: Upstream
    clock: Clock

    async def ask(self, deployment: Deployment, request: InferenceRequest) -> Sample:
        """What came of it. Never raises for what an upstream does."""
        reading = _Reading(deployment.name, self.clock.now())
        try:
            response = await self.upstream.open(deployment, request, {})
        except (UpstreamError, Overloaded) as error:
            return reading.failed(told(error))
        try:
            return await self._read(deployment, response, reading)
        except TimeoutError:
            return reading.failed("silence")
        except UpstreamError as error:
            return reading.failed(told(error))
        finally:
            response.close()

    async def _read(
        self, deployment: Deployment, response: UpstreamResponse, reading: _Reading
    ) -> Sample:
        idle_s = max(deployment.timeouts.idle, deployment.timeouts.first_byte)
        if response.status != HTTPStatus.OK:
            code = error_code(await _body(response, idle_s))
            return reading.refused(response.status, code)
        buffer = FrameBuffer()
        while data := await response.read(idle_s):
            now = self.clock.now()
            for frame in buffer.feed(data):
                reading.take(frame, now)
            if reading.is_over:
                break
        return reading.sample()


class _Reading:
    """What is known of one answer so far; times on the clock of whoever reads."""

    def __init__(self, deployment: str, sent: float) -> None:
        self._deployment = deployment
        self._sent = sent
        self._first: float | None = None
        self._last = sent
        self._ended: float | None = None
        self._usage: Usage | None = None
        self._error: str | None = None

    @property
    def is_over(self) -> bool:
        return self._ended is not None or self._error is not None

    def take(self, frame: bytes, now: float) -> None:
        event = read_event(frame)
        self._usage = event.usage or self._usage
        if event.kind is Kind.ERROR:
            self._error = event.code or "error"
        elif event.kind is Kind.DONE:
            self._ended = now
        elif event.kind is Kind.CONTENT and not event.only_usage:
            self._first = now if self._first is None else self._first
            self._last = now

    def sample(self) -> Sample:
        if self._error is not None:
            throttled = judge_stream_error(self._error) is Verdict.THROTTLED
            ending = Ending.THROTTLED if throttled else Ending.FAILED
            return Sample(self._deployment, ending, why=self._error)
        if self._ended is None or self._first is None:
            return self.failed("incomplete")
        usage = self._usage or Usage()
        return Sample(
            self._deployment,
            Ending.ANSWERED,
            ttft_s=self._first - self._sent,
            tpot_s=_per_token(self._last - self._first, usage),
            latency_s=self._ended - self._sent,
            input_tokens=usage.input,
            cached_tokens=usage.cached,
            output_tokens=usage.output,
        )

    def refused(self, status: int, code: str | None) -> Sample:
        throttled = judge(status, code) is Verdict.THROTTLED
        ending = Ending.THROTTLED if throttled else Ending.FAILED
        why = f"{status} {code}" if code and code != str(status) else str(status)
        return Sample(self._deployment, ending, why=why)

    def failed(self, why: str) -> Sample:
        return Sample(self._deployment, Ending.FAILED, why=why)


def _per_token(seconds: float, usage: Usage) -> float | None:
    """Reasoning tokens come before the first that is seen, so they are none of the gaps."""
    gaps = usage.output - usage.reasoning - 1
    return seconds / gaps if gaps > 0 else None


async def _body(response: UpstreamResponse, idle_s: float) -> bytes:
    body = b""
    while len(body) < _MOST_ERROR_BYTES and (data := await response.read(idle_s)):
        body += data
    return body
