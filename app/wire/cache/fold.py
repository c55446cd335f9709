"""A stream as it was relayed, folded into the body that a caller without a stream would get.

Only a whole stream makes a body: ended, without an error, nothing filtered. What a body has no
place for makes the stream unfit to be kept; nothing is left out in silence.
"""

from __future__ import annotations

from typing import Final

import msgspec

from app.domain.call.request import Operation
from app.domain.quota.usage import Usage
from app.wire.cache.folding_choices import ChoicesFolding
from app.wire.cache.folding_response import ResponseFolding
from app.wire.cache.merging import Unfoldable
from app.wire.cache.unkept import Unkept
from app.wire.sse import FrameBuffer, data_of

#: The relay has refused endless frames before. Bytes.
_NO_LIMIT: Final = 1 << 40


class Folder:
    """Takes a stream in as it goes by; about 6 µs a chunk."""

    def __init__(self, operation: Operation) -> None:
        """`operation` is one that streams: chat completions, completions, responses."""
        is_response = operation is Operation.RESPONSES
        self._folding = ResponseFolding() if is_response else ChoicesFolding(operation)
        self._buffer = FrameBuffer(_NO_LIMIT)
        self.unkept: Unkept | None = None  # once it is known that nothing will come of it

    @property
    def size(self) -> int:
        """About how long the body is by now, in bytes; what is held takes a small multiple."""
        return self._folding.size

    def add(self, data: bytes) -> None:
        """Take the next bytes, cut anywhere."""
        if self.unkept is None:
            self._take(self._buffer.feed(data))

    def body(self, usage: Usage | None = None) -> bytes | Unkept:
        """The body, now that the stream has ended; or why there is none.

        `usage` is what the gateway knows, for a stream whose caller did not ask to be told. Whether
        the body is worth keeping is for `unkept` to say.
        """
        if self.unkept is None:
            self._take(self._buffer.last())
        if self.unkept is not None:
            return self.unkept
        try:
            return self._folding.body(usage)
        except Unfoldable as error:
            return error.reason
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return Unkept.UNREADABLE

    def _take(self, frames: list[bytes]) -> None:
        try:
            for frame in frames:
                if data := _data(frame):
                    self._folding.take(data)
        except Unfoldable as error:
            self.unkept = error.reason
        except (msgspec.MsgspecError, UnicodeDecodeError, AttributeError, TypeError):
            # Of the last two: an object or a list that is neither. All kinds are the same to us.
            self.unkept = Unkept.UNREADABLE


def fold(operation: Operation, stream: bytes, *, usage: Usage | None = None) -> bytes | Unkept:
    """The body of a whole stream; see Folder."""
    folder = Folder(operation)
    folder.add(stream)
    return folder.body(usage)


def _data(frame: bytes) -> bytes:
    """The data of a frame; most have one line, which needs no looking for."""
    if frame.startswith(b"data: ") and frame.endswith(b"}\n\n") and b"\r" not in frame:
        data = frame[6:-2]
        if b"\n" not in data:
            return data
    return data_of(frame)
