"""A bounded map in memory whose entries end: the least recently used is pushed out first."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

_Value = TypeVar("_Value")


class ExpiringCache(Generic[_Value]):
    """Values by digest."""

    def __init__(self, limit: int) -> None:
        """`limit` is how many entries are kept."""
        self._limit = limit
        self._entries: OrderedDict[bytes, tuple[float, _Value]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, digest: bytes, now: float) -> _Value | None:
        """The value, if it has not ended by `now`, on the clock that `put` was given."""
        ends, value = self._entries.get(digest, (now, None))
        if now >= ends:
            self._entries.pop(digest, None)
            return None
        self._entries.move_to_end(digest)
        return value

    def put(self, digest: bytes, value: _Value, ends: float) -> None:
        """Keep a value until `ends`."""
        self._entries[digest] = (ends, value)
        self._entries.move_to_end(digest)
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
