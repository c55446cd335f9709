"""Open one upstream's answer and read it up to the point where its worth is known.

A refusal or a short body is read whole; a stream up to its first content, because Azure throttles
streamed Responses inside a 200 and other servers send errors as a stream's first event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Final

import msgspec

from app.answer import WHOLE_BODY_BYTES, Answer, is_event_stream
from app.domain.call.request import InferenceRequest, Operation
from app.domain.routing.attempt import FIRST_REFUSAL, Verdict, judge, judge_stream_error
from app.domain.routing.deployment import Deployment
from app.domain.routing.patience import patience_for
from app.errors import (
    UpstreamDisconnected,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamTimeout,
)
from app.ports import Upstream, UpstreamResponse
from app.wire.azure import error_code, is_error_object, retry_after_s
from app.wire.events import Event, Kind, read_event
from app.wire.usage import response_id_of_body

#: Three digits from 1 to 5 are HTTP's (RFC 9110, section 15); others cannot be passed on.
_STATUSES: Final = range(100, 600)
_OK: Final = int(HTTPStatus.OK)
_ACCEPT, _RESPONSES = Verdict.ACCEPT, Operation.RESPONSES


class Opened(msgspec.Struct, eq=False):
    """One upstream asked: the verdict, and the answer where there is one to pass on."""

    verdict: Verdict
    status: int | None = None
    headers: Mapping[str, str] = {}
    code: str | None = None
    retry_after_s: float | None = None
    answer: Answer | None = None
    error: UpstreamError | None = None
    response: UpstreamResponse | None = None

    def close(self) -> None:
        """Let go of the connection."""
        if self.response is not None:
            self.response.close()


async def open_answer(
    upstream: Upstream,
    deployment: Deployment,
    request: InferenceRequest,
    headers: Mapping[str, str],
) -> Opened:
    """Ask one deployment. Never raises UpstreamError: a failure is a verdict like any other."""
    try:
        response = await upstream.open(deployment, request, headers)
    except UpstreamError as error:
        return Opened(Verdict.FAILED, code=error.code, error=error)
    answer = Answer(deployment, request, response.status, response.headers, response)
    try:
        return _here(answer, response) or await _read_until_known(answer, response)
    except UpstreamError as error:
        response.close()
        failed = Verdict.FAILED
        return Opened(failed, answer.status, answer.headers, code=error.code, error=error)
    except BaseException:
        response.close()
        raise


def _here(answer: Answer, response: UpstreamResponse) -> Opened | None:
    """An answer that is all here, as most are that are no streams."""
    if answer.status != _OK or is_event_stream(response.headers):
        return None
    whole = response.whole()
    if whole is None:
        return None
    answer.head, answer.rest = whole, None
    return _accepted(answer, None)


async def _read_until_known(answer: Answer, response: UpstreamResponse) -> Opened:
    status = answer.status
    if status not in _STATUSES:
        raise UpstreamProtocolError("The upstream's answer is not valid HTTP.")
    if status >= FIRST_REFUSAL:
        return await _refused(answer, response)
    if is_event_stream(response.headers):
        return await _streaming(answer, response)
    await _fill(answer, response)
    return _accepted(answer, response)


def _accepted(answer: Answer, response: UpstreamResponse | None) -> Opened:
    """`response` is what is still to be closed."""
    request = answer.request
    if request.stores and request.route.operation is _RESPONSES:
        answer.response_id = response_id_of_body(answer.head)
    return Opened(_ACCEPT, answer.status, answer.headers, answer=answer, response=response)


async def _refused(answer: Answer, response: UpstreamResponse) -> Opened:
    """Judge a status of 300 and more; the body is passed on only if an SDK can read it."""
    await _fill(answer, response)
    code = error_code(answer.head)
    verdict = judge(response.status, code)
    worth_passing_on = verdict is Verdict.ACCEPT or is_error_object(answer.head)
    return Opened(
        verdict,
        response.status,
        response.headers,
        code=code,
        retry_after_s=retry_after_s(response.headers, answer.head),
        answer=answer if worth_passing_on else None,
        response=response,
    )


async def _fill(answer: Answer, response: UpstreamResponse) -> None:
    """Read the body into `head`: all of it, or as much as is kept.

    Some servers send the headers of an answer before they have it.
    """
    timeouts = patience_for(answer.request, answer.deployment)
    is_answer = response.status < FIRST_REFUSAL
    parts: list[bytes] = []
    size = 0
    while size <= WHOLE_BODY_BYTES:
        is_begun = bool(parts) or not is_answer
        patience_s = timeouts.idle if is_begun else timeouts.first_byte
        try:
            data = await response.read(patience_s)
        except TimeoutError:
            raise _silence(answer, patience_s) from None
        if not data:
            answer.rest = None
            break
        parts.append(data)
        size += len(data)
    answer.head = b"".join(parts)


class _Prelude:
    """What a stream says before its content."""

    def __init__(self) -> None:
        self.response_id: str | None = None
        self.decisive: Event | None = None
        self.failed: Event | None = None

    def read(self, frames: Iterable[bytes], *, for_id: bool) -> None:
        """Take their events; after the one that decides, the rest only for the response's id."""
        for frame in frames:
            if self.decisive is None or for_id:
                self.take(read_event(frame))

    def take(self, event: Event) -> None:
        """Azure sends `response.failed` without a code and names it in the `error` that follows."""
        self.response_id = self.response_id or event.response_id
        if self.decisive is not None or event.kind is Kind.PREAMBLE:
            return
        if event.kind is Kind.ERROR and not event.code and self.failed is None:
            self.failed = event
        else:
            self.decisive = event

    def outcome(self) -> Event | None:
        """The event that decides; an error without a code where nothing followed it."""
        return self.decisive or self.failed


async def _streaming(answer: Answer, response: UpstreamResponse) -> Opened:
    """Read frames until content, the end, or an error that comes before both.

    Of what is told again any frame will do.
    """
    prelude, is_retold = _Prelude(), answer.request.is_retold
    while prelude.decisive is None and not _is_full(answer):
        patience_s = answer.deployment.timeouts.first_byte
        try:
            data = await response.read(patience_s)
        except TimeoutError:
            raise _silence(answer, patience_s) from None
        frames = answer.buffer.feed(data) if data else answer.buffer.last()
        answer.frames += frames
        prelude.read(frames, for_id=answer.request.stores)
        if not data or (is_retold and frames):
            break
    if answer.request.stores:
        answer.response_id = prelude.response_id
    event = prelude.outcome()
    if is_retold and answer.frames:
        return Opened(
            _ACCEPT,
            response.status,
            response.headers,
            code=event.code if event is not None else None,
            answer=answer,
            response=response,
        )
    if event is None:
        raise _without_content(answer)
    if event.kind is Kind.ERROR:
        return _failed_in_stream(answer, response, event)
    return Opened(_ACCEPT, response.status, response.headers, answer=answer, response=response)


def _is_full(answer: Answer) -> bool:
    return sum(map(len, answer.frames)) > WHOLE_BODY_BYTES


def _without_content(answer: Answer) -> UpstreamError:
    """Why a stream is no answer: nothing came after what was read, or too much came before."""
    if _is_full(answer):
        bound = f"{WHOLE_BODY_BYTES >> 20} MiB"
        return UpstreamProtocolError(f"The upstream's stream has no content within {bound}.")
    return UpstreamDisconnected("The upstream's stream ended before it began.")


def _failed_in_stream(answer: Answer, response: UpstreamResponse, event: Event) -> Opened:
    verdict = judge_stream_error(event.code)
    return Opened(
        verdict,
        response.status,
        response.headers,
        code=event.code,
        retry_after_s=retry_after_s(response.headers, b"".join(answer.frames)),
        answer=answer if verdict is Verdict.ACCEPT else None,
        response=response,
    )


def _silence(answer: Answer, patience_s: float) -> UpstreamTimeout:
    name = answer.deployment.name
    return UpstreamTimeout(f"The deployment '{name}' sent nothing for {patience_s:g} s.")
