"""What an answer says about itself at its beginning and at its end: id, model, finish reasons.

Only members by these names are read, at the places that they have in OpenAI's forms, so that
nothing that a model wrote is taken for one. Where one is more than a word it is left out: upstreams
may echo what a caller wrote.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from app.domain.routing.told import code_told, id_told
from app.domain.tracing.said import AnswerFacts
from app.wire.sse import FrameBuffer, data_of

#: Of a stream: so much of its beginning, and of each of the last reads. Bytes.
_KEPT_BYTES: Final = 8192
_READS: Final = 4
_NO_LIMIT: Final = 1 << 40


class AnswerEdges:
    """A stream's first and last reads, or a whole body; looked at when the request is over."""

    body = b""
    _first = b""
    _last: deque[bytes] | None = None  # most answers are no streams

    def add(self, frames: bytes) -> None:
        """Take whole frames of a stream: about 0.1 µs."""
        if self._last is None:
            self._first, self._last = frames[:_KEPT_BYTES], deque(maxlen=_READS)
        self._last.append(frames[-_KEPT_BYTES:])

    def facts(self) -> AnswerFacts:
        """What is known; takes time with the size of a whole body."""
        if self.body:
            return _told([self.body])
        chunks = [chunk for part in (self._first, *(self._last or ())) for chunk in _data(part)]
        return _told(chunks)


class _Choice(msgspec.Struct):
    index: int = 0
    finish_reason: str | None = None


class _Response(msgspec.Struct):
    id: str | None = None
    model: str | None = None


class _Answer(msgspec.Struct):
    """A body, a chunk, or an event of the Responses API, which has the response inside."""

    id: str | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    response: _Response | None = None


_ANSWER: Final = msgspec.json.Decoder(_Answer)


def _told(chunks: list[bytes]) -> AnswerFacts:
    found_id, model, reasons = "", "", dict[int, str]()
    for chunk in chunks:
        try:
            answer = _ANSWER.decode(chunk)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        named: _Answer | _Response = answer.response or answer
        found_id, model = found_id or id_told(named.id) or "", model or code_told(named.model) or ""
        for choice in answer.choices or ():
            if reason := code_told(choice.finish_reason):
                reasons[choice.index] = reason
    in_order = tuple(reasons[index] for index in sorted(reasons))
    return AnswerFacts(found_id, model, in_order)


def _data(frames: bytes) -> list[bytes]:
    """What frames say; those that were cut off at an edge say nothing that can be read."""
    buffer = FrameBuffer(_NO_LIMIT)
    return [data_of(frame) for frame in (*buffer.feed(frames), *buffer.last())]
