"""Remember what a client is sent, while it is sent: a stream as the body that it comes to."""

from __future__ import annotations

from collections.abc import Mapping

from app.domain.call.request import WRITTEN, Operation
from app.domain.quota.usage import Usage
from app.errors import SpillgateError
from app.ports import Reply
from app.wire.cache.fold import Folder
from app.wire.cache.unkept import Unkept


class Recording:
    """A reply that passes everything on, and keeps what it says up to a size.

    A stream's frames may be a hundred times as long as what they say: they are folded as they go
    by, and what has been seen to be too large, or not fit to be kept, is let go of at once.
    """

    def __init__(self, reply: Reply, operation: Operation, *, at_most: int) -> None:
        """Beyond `at_most` bytes of a body nothing is kept. `operation` is what was asked."""
        self._reply = reply
        self._operation = operation
        self._at_most = at_most
        self._parts: list[bytes] | None = []
        self._folder: Folder | None = None
        self._is_whole = False
        self.size = 0  # of the body that is kept, in bytes; of a stream's about

    @property
    def status(self) -> int | None:
        """The status that was sent; None before."""
        return self._reply.status

    def body(self, usage: Usage | None) -> bytes | None:
        """The whole body; None where it is not whole, not fit, or larger than is kept.

        `usage` is told by it where a stream did not. Takes time in proportion to the body.
        """
        if not self._is_whole or self._parts is None:
            return None
        if self._folder is None:
            return b"".join(self._parts)
        body = self._folder.body(usage)
        return None if isinstance(body, Unkept) or len(body) > self._at_most else body

    def put_first(self, status: int, headers: Mapping[str, str], data: bytes) -> bool:
        """Send status, headers and a first part where that takes no waiting; whether it did."""
        is_sent = self._reply.put_first(status, headers, data)
        if is_sent:
            self._begin(headers)
            self._keep(data)
        return is_sent

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Send status and headers."""
        self._begin(headers)
        await self._reply.start(status, headers)

    async def send(self, data: bytes) -> None:
        """Send a part of the body; the client has it before it is looked at."""
        await self._reply.send(data)
        self._keep(data)

    def put(self, data: bytes) -> bool:
        """Send a part of the body where that takes no waiting; whether it was sent."""
        is_sent = self._reply.put(data)
        if is_sent:
            self._keep(data)
        return is_sent

    async def finish(self) -> None:
        """End the body."""
        self._is_whole = True
        await self._reply.finish()

    async def break_off(self, error: SpillgateError) -> None:
        """End an answer that cannot be completed."""
        self._let_go()
        await self._reply.break_off(error)

    def _begin(self, headers: Mapping[str, str]) -> None:
        if headers.get("content-type", "").startswith("text/event-stream"):
            if self._operation in WRITTEN:
                self._folder = Folder(self._operation)
            else:
                self._let_go()

    def _keep(self, data: bytes) -> None:
        if self._parts is None:
            return
        if self._folder is None:
            self.size += len(data)
            self._parts.append(data)
        else:
            self._folder.add(data)
            self.size = self._folder.size
        if self.size > self._at_most or (self._folder and self._folder.unkept):
            self._let_go()

    def _let_go(self) -> None:
        self._parts, self._folder = None, None
