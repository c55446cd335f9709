"""What an answer says about itself at its beginning and at its end: id, model, finish reasons.

Only members by these names are read, at the places that they have in OpenAI's forms, so that
nothing that a model wrote is taken for one. Where one is more than a word it is left out: upstreams
may echo what a caller wrote.
"""

from __future__ import annotations

from typing import Final

import msgspec

from app.domain.routing.told import code_told, id_told
from app.domain.tracing.said import AnswerFacts
from app.wire.sse import FrameBuffer, data_of

#: Of a stream: so much of its beginning, and of each of the last reads. Bytes.
_KEPT_BYTES: Final = 8192
_READS: Final = 4
_NO_LIMIT: Final = 1 << 40


class AnswerEdges(msgspec.Struct, eq=False, gc=False):
    """A stream's first and last reads, or a whole body; looked at when the request is over."""

    body: bytes = b""
    _parts: tuple[bytes, ...] = ()

    def add(self, *reads: bytes) -> None:
        """Take what was read of a stream, whole frames each time."""
        self._parts = _edges(self._parts, reads)

    def facts(self, *later: bytes) -> AnswerFacts:
        """What is known, `later` reads included; takes time with the size of a whole body."""
        if self.body:
            return _told([self.body])
        parts = _edges(self._parts, later)
        return _told([chunk for part in parts for chunk in _data(part)])


def _edges(parts: tuple[bytes, ...], reads: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The first of all reads and the last ones, where `parts` are those until now."""
    if not reads:
        return parts
    first = parts[0] if parts else reads[0][:_KEPT_BYTES]
    last = (*parts[1:], *reads)[-_READS:]
    return first, *(read[-_KEPT_BYTES:] for read in last)


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
