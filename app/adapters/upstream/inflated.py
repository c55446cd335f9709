"""An answer that came compressed although nobody asked for it, read as if it had not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.adapters.upstream.decompression import Inflater
from app.adapters.upstream.read_by_read import ReadByRead
from app.ports import UpstreamResponse

_OF_THE_PACKED: Final = ("content-encoding", "content-length")


class Inflated(ReadByRead):
    """An UpstreamResponse; its headers are those of what `read` gives."""

    def __init__(self, response: UpstreamResponse) -> None:
        """Raises UpstreamProtocolError for an encoding that cannot be read."""
        self._response = response
        self._inflater = Inflater(response.headers["content-encoding"])
        self.status: Final = response.status
        self.headers: Final[Mapping[str, str]] = {
            name: value for name, value in response.headers.items() if name not in _OF_THE_PACKED
        }

    async def read(self, patience_s: float) -> bytes:
        """The next bytes; empty at the end. Raises what the response's own raises."""
        while not (data := self._inflater.take()):
            packed = await self._response.read(patience_s)
            if not packed:
                self._inflater.end()
                break
            self._inflater.feed(packed)
        return data

    def close(self) -> None:
        """Let go of the connection."""
        self._response.close()
