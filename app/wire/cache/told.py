"""One frame of a stream that is told from a kept answer, and how frames are written."""

from __future__ import annotations

from typing import Any, Final

import msgspec


class Told(msgspec.Struct, frozen=True):
    """A frame; `tokens` is about how many tokens of the answer it brings, for pacing."""

    frame: bytes
    tokens: int = 0


#: How streams of chunks end.
DONE: Final = Told(b"data: [DONE]\n\n")


def data_frame(data: Any) -> bytes:
    """A frame of data alone."""
    return b"data: " + msgspec.json.encode(data) + b"\n\n"


def event_frame(kind: str, data: Any) -> bytes:
    """A frame of a named event."""
    return b"event: " + kind.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"


#: Stands for a piece of text in frames that differ in nothing else.
PLACE: Final = "\u0001piece\u0001"
_PLACE: Final = msgspec.json.encode(PLACE)


def around_place(frame: bytes) -> tuple[bytes, bytes]:
    """What stands before the piece, and what after it."""
    before, _, after = frame.partition(_PLACE)
    return before, after
