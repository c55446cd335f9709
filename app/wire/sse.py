"""Server-sent events as frames of bytes; nothing is decoded, nothing is changed.

A frame is everything up to and with the blank line that ends an event. Line ends are CRLF, LF or
CR (WHATWG HTML, server-sent events). A CR that may still become a CRLF waits for the next byte, so
that frames do not depend on how the bytes were cut on their way.
"""

from __future__ import annotations

import re

from app.errors import UpstreamProtocolError

MAX_FRAME_BYTES = 1024 * 1024
HEARTBEAT = b": ping\n\n"

_BLANK_LINE = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?=[^\n]))")
_LONGEST_BLANK_LINE = 4
_LF, _CR = b"\n"[0], b"\r"[0]
_DATA_LINE = re.compile(rb"^data:[ ]?([^\r\n]*)", re.MULTILINE)


class FrameBuffer:
    """Cuts a stream of bytes into frames; what was fed comes out again, byte for byte."""

    __slots__ = ("_limit", "unfinished")

    def __init__(self, limit: int = MAX_FRAME_BYTES) -> None:
        """`limit` is the size in bytes at which an unfinished frame, which is kept, is an error."""
        self.unfinished = b""
        self._limit = limit

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes. Raises UpstreamProtocolError for an endless one."""
        seen = max(0, len(self.unfinished) - _LONGEST_BLANK_LINE)
        return self._cut(self.unfinished + data if self.unfinished else data, seen)

    def joined(self, data: bytes) -> tuple[bytes, int]:
        """The same frames in one piece, and how many they are.

        Where all lines end with LF, as they mostly do, they are not cut up.
        """
        seen = max(0, len(self.unfinished) - _LONGEST_BLANK_LINE)
        buffer = self.unfinished + data if self.unfinished else data
        blank = buffer.rfind(b"\n\n", seen)
        if blank > 0 and _CR not in buffer and buffer[blank - 1] != _LF:
            end = blank + 2
            if end == len(buffer):
                frames, self.unfinished = buffer, b""
            else:
                frames, self.unfinished = buffer[:end], self._bounded(buffer[end:])
            # Most reads are one line and a blank one: the first line's end tells it soonest.
            return frames, 1 if buffer.find(_LF) == blank else frames.count(b"\n\n")
        cut = self._cut(buffer, seen)
        return b"".join(cut), len(cut)

    def _cut(self, buffer: bytes, seen: int) -> list[bytes]:
        """No frame ends in the first `seen` bytes."""
        frames: list[bytes] = []
        start = 0
        for blank in _BLANK_LINE.finditer(buffer, seen):
            frames.append(buffer[start : blank.end()])
            start = blank.end()
        self.unfinished = self._bounded(buffer[start:])
        return frames

    def _bounded(self, rest: bytes) -> bytes:
        if len(rest) > self._limit:
            message = f"The upstream sent an event of more than {self._limit} bytes."
            raise UpstreamProtocolError(message)
        return rest

    def rest(self) -> bytes:
        """What came after the last frame; at the end of a stream, its unfinished tail."""
        rest, self.unfinished = self.unfinished, b""
        return rest

    def last(self) -> list[bytes]:
        """The frame that the connection's end completes, where there is one."""
        rest = self.rest()
        return [rest] if rest else []


def frames_of(joined: bytes) -> list[bytes]:
    """Frames that were joined."""
    buffer = FrameBuffer(len(joined))
    return [*buffer.feed(joined), *buffer.last()]


def data_of(frame: bytes) -> bytes:
    """The event's data: its `data:` lines, joined by LF."""
    if frame.startswith(b"\xef\xbb\xbf"):
        frame = frame[3:]
    return b"\n".join(_DATA_LINE.findall(frame.replace(b"\r\n", b"\n").replace(b"\r", b"\n")))
