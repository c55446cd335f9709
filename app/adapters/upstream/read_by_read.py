"""How an answer is poured that can only be read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable


class ReadByRead(ABC):
    """Gives `pour` and `whole` to an UpstreamResponse that has `read`."""

    __slots__ = ()

    @abstractmethod
    async def read(self, patience_s: float) -> bytes:
        """The next bytes of the body; empty at its end."""

    def whole(self) -> bytes | None:
        """It has to be read."""
        return None

    async def pour(self, take: Callable[[bytes], bool], patience_s: float) -> bool:
        """Hand `take` what is read until it wants no more; False at the body's end."""
        while data := await self.read(patience_s):
            if not take(data):
                return True
        return False
