"""What one event of a stream says: nothing yet, content, usage, an error, the end.

Chat and legacy completions share one form, the Responses API has another (Azure's and OpenAI's
spellings of errors inside streams differ; both are read). An event that cannot be read counts as
content: it is the client's to judge.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Any

import msgspec

from app.domain.quota.usage import Usage
from app.errors import SpillgateError
from app.wire.sse import data_of
from app.wire.usage import UsageFields

_BEFORE_CONTENT = frozenset(
    {"response.created", "response.queued", "response.in_progress", "response.content_part.added"}
)
_TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed"})
#: What a frame of more than plain content has in its JSON.
_TELLING = (
    rb'"(?:usage"\s*:\s*\{|error"\s*:\s*["{]'
    rb'|type"\s*:\s*"(?:error|response\.(?:completed|incomplete|failed))")'
)
#: A frame that this does not find in is plain content and needs no decoding. Data in several lines
#: is decoded always, because what is looked for may stand across a line's end.
_NOTABLE = re.compile(
    _TELLING + rb"|(?:^|\r)data:\s*\[DONE\]"
    rb"|(?:^|\r)data:[^\r\n]*(?:\r\n|\r|\n)data:",
    re.MULTILINE,
)
_TELLS = re.compile(_TELLING).search
_LF, _CR = b"\n"[0], b"\r"[0]


class Kind(Enum):
    """What an event means for the relay."""

    PREAMBLE = "preamble"  # comes before any content: another deployment may still be tried
    CONTENT = "content"
    ERROR = "error"
    DONE = "done"  # nothing follows that belongs to the answer


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event, read; `only_usage` marks the frame that `include_usage` adds."""

    kind: Kind
    usage: Usage | None = None
    only_usage: bool = False
    code: str | None = None  # of an error
    response_id: str | None = None


_PREAMBLE = Event(Kind.PREAMBLE)
_CONTENT = Event(Kind.CONTENT)
_DONE = Event(Kind.DONE)


class _Choice(msgspec.Struct):
    delta: dict[str, Any] | None = None
    text: str | None = None
    finish_reason: str | None = None

    def has_content(self) -> bool:
        """Whether a reader would see anything: more than a role and empty strings."""
        if self.text or self.finish_reason is not None:
            return True
        for name, value in self.delta.items() if self.delta else ():
            if value and name != "role":
                return True
        return False


class _Error(msgspec.Struct):
    code: str | int | None = None
    type: str | None = None


class _Response(msgspec.Struct):
    id: str | None = None
    usage: UsageFields | None = None
    error: _Error | None = None


class _Item(msgspec.Struct):
    type: str | None = None


class _Chunk(msgspec.Struct):
    """The union of both forms' fields that matter here."""

    type: str | None = None
    choices: list[_Choice] | None = None
    usage: UsageFields | None = None
    error: _Error | str | None = None
    response: _Response | None = None
    item: _Item | None = None
    code: str | int | None = None


_CHUNK = msgspec.json.Decoder(_Chunk)


def is_notable(frames: bytes) -> bool:
    """Whether anything in these bytes may be more than plain content."""
    return _NOTABLE.search(frames) is not None


def plain_frames(data: bytes) -> int:
    """How many frames these are, where they are whole and plain content for sure; else 0.

    What most reads of a stream are is told soonest. Each has one line of data, and that an object.
    """
    is_whole = data.startswith(b"data: {") and data.endswith(b"\n\n")
    if not is_whole or _CR in data or _TELLS(data) is not None:
        return 0
    if data.find(_LF) == len(data) - 2:
        return 1
    number = data.count(b"\n\n")
    begin = 1 + data.count(b"\n\ndata: {")
    is_cut = begin == number == data.count(b"data:") and not data.endswith(b"\n\n\n")
    return number if is_cut else 0


def is_plain(frames: bytes, number: int) -> bool:
    """Whether so many whole frames are plain content for sure; a tenth of what `is_notable` takes.

    Each has one line of data, and that an object: neither `[DONE]` nor data in several lines.
    """
    if _CR in frames:
        return False
    if frames.startswith(b"data: {"):
        is_one_line = frames.find(_LF) == len(frames) - 2
        if not is_one_line:
            begin = 1 + frames.count(b"\n\ndata: {")
            if not begin == number == frames.count(b"data:"):
                return False
    elif number != 1 or frames.count(b"data:") != 1 or b"\ndata: {" not in frames:
        return False
    return _TELLS(frames) is None


def read_event(frame: bytes) -> Event:
    """The meaning of one frame."""
    data = data_of(frame)
    if not data:
        return _PREAMBLE
    if data.startswith(b"[DONE]"):
        return _DONE
    try:
        chunk = _CHUNK.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _CONTENT
    return _responses_event(chunk) if chunk.type else _chat_event(chunk)


def _chat_event(chunk: _Chunk) -> Event:
    if chunk.error:
        return Event(Kind.ERROR, code=_code(chunk.error))
    tells = chunk.usage is not None  # be it without the counts that make it a usage
    usage = chunk.usage.usage() if chunk.usage else None
    if not chunk.choices:
        only_usage = tells and chunk.choices is not None
        return Event(Kind.CONTENT if only_usage else Kind.PREAMBLE, usage, only_usage=only_usage)
    if tells:
        return Event(Kind.CONTENT, usage)
    for choice in chunk.choices:
        if choice.has_content():
            return _CONTENT
    return _PREAMBLE


def _responses_event(chunk: _Chunk) -> Event:
    response = chunk.response or _Response()
    if chunk.type == "error":
        code = _code(chunk.error) or _text(chunk.code)
        return Event(Kind.ERROR, code=code)
    if chunk.type in _BEFORE_CONTENT or _announces_message(chunk):
        return Event(Kind.PREAMBLE, response_id=response.id)
    usage = response.usage.usage() if response.usage else None
    if chunk.type == "response.failed":
        return Event(Kind.ERROR, usage, code=_code(response.error), response_id=response.id)
    if chunk.type in _TERMINAL:
        return Event(Kind.DONE, usage, response_id=response.id)
    return _CONTENT


def _announces_message(chunk: _Chunk) -> bool:
    """An empty message is announced right before its text; other items may show work for long."""
    item = chunk.item or _Item()
    return chunk.type == "response.output_item.added" and item.type == "message"


def _code(error: _Error | str | None) -> str | None:
    if isinstance(error, _Error):
        return _text(error.code) or error.type
    return error


def _text(code: str | int | None) -> str | None:
    return None if code is None else str(code)


def error_frame(error: SpillgateError, *, responses: bool) -> bytes:
    """The event that ends a broken stream so that every SDK raises.

    Chat: any `data` with a truthy `error` raises in openai-python and -node. Responses: `event:
    error` with the nested object that Azure sends and the flat fields of OpenAI's specification.
    """
    body = error_object(error)
    if not responses:
        return b"data: " + msgspec.json.encode({"error": body}) + b"\n\n"
    event = {"type": "error", "error": body} | {
        name: body[name] for name in ("code", "message", "param")
    }
    return b"event: error\ndata: " + msgspec.json.encode(event) + b"\n\n"


def error_object(error: SpillgateError) -> dict[str, str | None]:
    """OpenAI's error object; all four fields are required by its specification."""
    return {
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "code": error.code if error.tells_code else None,
    }
