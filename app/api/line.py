"""The connection that a call came on, as the call and its reply see it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from app.api.answer_head import CommonLines


class Line(Protocol):
    """One client's connection."""

    #: Whether the client reads more slowly than we write.
    would_block: bool
    #: What every answer of a moment has.
    common: CommonLines

    def client(self, headers: Mapping[str, str]) -> str | None:
        """The address of who asks with these headers; None where it has none."""
        ...

    def write(self, data: bytes) -> None:
        """Send, or keep what does not fit; nothing happens once the connection is gone."""
        ...

    async def room(self) -> None:
        """Wait until writing would not block, or the connection is gone."""
        ...

    def abort(self) -> None:
        """Drop the connection at once, whatever is still unsent."""
        ...

    def pause_reading(self) -> None:
        """Take nothing more from the client."""
        ...

    def resume_reading(self) -> None:
        """Take what the client sends."""
        ...

    def answered(self, *, keep_alive: bool) -> None:
        """The running call's answer is out: the next call may begin, where there may be one."""
        ...

    def left(self, task: asyncio.Task[None] | None, *, is_answered: bool) -> None:
        """The task of a call is about to end; one without a whole answer ends the connection."""
        ...


def dropped(_data: bytes) -> None:
    """What is written where nobody reads any more."""
