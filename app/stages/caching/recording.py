"""Remember what a client is sent, while it is sent."""

from __future__ import annotations

from collections.abc import Mapping

from app.errors import SpillgateError
from app.ports import Reply


class Recording:
    """A reply that passes everything on, and keeps a copy up to a size."""

    def __init__(self, reply: Reply, *, at_most: int) -> None:
        """Beyond `at_most` bytes nothing is kept."""
        self._reply = reply
        self._at_most = at_most
        self._parts: list[bytes] | None = []
        self._size = 0
        self._is_whole = False
        self.is_stream = False

    @property
    def status(self) -> int | None:
        """The status that was sent; None before."""
        return self._reply.status

    @property
    def body(self) -> bytes | None:
        """The whole body; None where it is not whole, or larger than is kept."""
        return b"".join(self._parts) if self._is_whole and self._parts is not None else None

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Send status and headers."""
        self.is_stream = headers.get("content-type", "").startswith("text/event-stream")
        await self._reply.start(status, headers)

    async def send(self, data: bytes) -> None:
        """Send a part of the body."""
        self._keep(data)
        await self._reply.send(data)

    async def finish(self) -> None:
        """End the body."""
        self._is_whole = True
        await self._reply.finish()

    async def break_off(self, error: SpillgateError) -> None:
        """End an answer that cannot be completed."""
        self._parts = None
        await self._reply.break_off(error)

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._at_most:
            self._parts = None
        if self._parts is not None:
            self._parts.append(data)
