"""A client's connection without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from app.api.answer_head import CommonLines


class _Undated:
    """No date, nor any other line of a server's."""

    def __init__(self) -> None:
        self.default_headers: list[tuple[bytes, bytes]] = []


class FakeLine:
    """Keeps what was sent; what a client that stopped reading cannot be sent waits."""

    #: So many bytes are taken that nobody reads.
    most_unread = 100_000

    def __init__(self, *, reads: bool = False) -> None:
        """`reads`: the client takes whatever comes."""
        self.common = CommonLines(_Undated())
        self.would_block = False
        self.dropped = asyncio.Event()
        self.sent = b""
        self._reads = reads

    @property
    def status(self) -> int:
        """Of the answer."""
        return int(self.sent[9:12])

    def client(self, _headers: Mapping[str, str]) -> None:
        """It has no address."""

    def write(self, data: bytes) -> None:
        assert not self.would_block, "a write that nobody can take"
        if not self.dropped.is_set():
            self.sent += data
            self.would_block = not self._reads and len(self.sent) > self.most_unread

    async def room(self) -> None:
        await asyncio.sleep(0)
        if self.would_block:
            await self.dropped.wait()

    def abort(self) -> None:
        self.would_block = False
        self.dropped.set()

    def pause_reading(self) -> None:
        """Nobody sends anything."""

    def resume_reading(self) -> None:
        """Nobody sends anything."""

    def answered(self, *, keep_alive: bool) -> None:
        """There is no other call."""

    def left(self, task: asyncio.Task[None] | None, *, is_answered: bool) -> None:
        """There is no other call."""
