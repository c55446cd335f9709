"""What a client would see."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from app.errors import ClientGone, SpillgateError


class RecordingReply:
    """Remembers an answer, and refuses what HTTP could not send."""

    def __init__(self, *, leaves_after: int | None = None, takes_first: bool = False) -> None:
        """The client is gone after it was sent so many parts of the body.

        Few take an answer's beginning at once: one in parts can be interrupted between them.
        """
        self.status: int | None = None
        self.headers: Mapping[str, str] = {}
        self.parts: list[bytes] = []
        self.finished = False
        self.broken: SpillgateError | None = None
        self._leaves_after = leaves_after
        self._takes_first = takes_first

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    def put_first(self, status: int, headers: Mapping[str, str], data: bytes) -> bool:
        assert self.status is None, "an answer starts once"
        if self._takes_first:
            self.status, self.headers = status, dict(headers)
            self.parts.append(data)
        return self._takes_first

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        assert self.status is None, "an answer starts once"
        self.status, self.headers = status, dict(headers)
        await asyncio.sleep(0)

    async def send(self, data: bytes) -> None:
        self._refuse_after_the_end()
        assert data, "an empty part would end a chunked body"
        if self._leaves_after is not None and len(self.parts) >= self._leaves_after:
            raise ClientGone
        await asyncio.sleep(0)
        self.parts.append(data)

    def put(self, data: bytes) -> bool:
        self._refuse_after_the_end()
        assert data, "an empty part would end a chunked body"
        if self._leaves_after is not None and len(self.parts) >= self._leaves_after:
            return False  # who waits is told
        self.parts.append(data)
        return True

    async def finish(self) -> None:
        self._refuse_after_the_end()
        length = self.headers.get("content-length")
        assert length is None or int(length) == len(self.body), "the length was announced"
        self.finished = True
        await asyncio.sleep(0)

    async def break_off(self, error: SpillgateError) -> None:
        self._refuse_after_the_end()
        self.broken = error
        await asyncio.sleep(0)

    def _refuse_after_the_end(self) -> None:
        assert self.status is not None, "headers come first"
        assert not self.finished, "nothing follows the end"
        assert self.broken is None, "nothing follows a break"

    def __repr__(self) -> str:
        end = "finished" if self.finished else f"broken by {self.broken!r}"
        return f"<RecordingReply {self.status}, {len(self.body)} bytes, {end}>"
