"""A request's body that is too large for one write: sent piece by piece, as fast as it is taken.

The pieces are windows on the body, not copies; an upstream that answers before it has read all can
be spared the rest.
"""

from __future__ import annotations

from asyncio import WriteTransport
from typing import Final

PIECE_BYTES: Final = 128 * 1024


class Upload:
    """What is left to send."""

    __slots__ = ("_left", "_transport", "is_paused")

    def __init__(self, transport: WriteTransport, body: bytes) -> None:
        self._transport = transport
        self._left = memoryview(body)
        self.is_paused = False

    @property
    def is_over(self) -> bool:
        """Whether all of it was handed to the transport."""
        return not self._left

    def go_on(self) -> None:
        """Send until the transport has enough for now: it sets `is_paused` while this runs."""
        while self._left and not self.is_paused:
            piece, self._left = self._left[:PIECE_BYTES], self._left[PIECE_BYTES:]
            self._transport.write(piece)
