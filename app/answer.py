"""The answer that was accepted: what has been read of it, and the rest still to come."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from app.domain.call.request import InferenceRequest
from app.domain.routing.deployment import Deployment
from app.ports import UpstreamResponse
from app.wire.sse import FrameBuffer

#: Bodies up to this size are read whole before a byte goes out: until then another deployment can
#: still take over, and the length is known.
WHOLE_BODY_BYTES = 1024 * 1024


class Answer(msgspec.Struct, eq=False):
    """One upstream's answer; `rest` is None once the body has been read whole into `head`.

    A stream's first frames are in `frames`, unread bytes after them in `buffer`. `ending` wants to
    see the frames with its end before the client does.
    """

    deployment: Deployment
    request: InferenceRequest
    status: int
    headers: Mapping[str, str]
    rest: UpstreamResponse | None = None
    head: bytes = b""
    frames: list[bytes] = []
    response_id: str | None = None
    ending: Callable[[bytes], Awaitable[None]] | None = None
    _buffer: FrameBuffer | None = None

    @property
    def is_stream(self) -> bool:
        """Whether the body is an event stream, relayed frame by frame."""
        return is_event_stream(self.headers) and self.rest is not None

    @property
    def buffer(self) -> FrameBuffer:
        """Cuts what is read of a stream; a whole body needs none."""
        if self._buffer is None:
            self._buffer = FrameBuffer()
        return self._buffer

    async def before_end(self, frames: bytes) -> None:
        """Show the frames with the stream's end to whoever waits for them, once."""
        ending, self.ending = self.ending, None
        if ending is not None:
            await ending(frames)

    def take_frames(self) -> list[bytes]:
        """The first frames, to be sent now; they are not kept here while the rest is relayed."""
        frames, self.frames = self.frames, []
        return frames


def is_event_stream(headers: Mapping[str, str]) -> bool:
    """Whether these headers announce server-sent events."""
    return headers.get("content-type", "").startswith("text/event-stream")
