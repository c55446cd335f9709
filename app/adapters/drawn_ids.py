"""Ids that nobody else has, drawn many at a time."""

from __future__ import annotations

import os
from typing import Final

_BYTES: Final = 12
_AT_ONCE: Final = 256


class DrawnIds:
    """Hexadecimal ids: the system is asked for randomness once for 256 of them, not for each."""

    __slots__ = ("_prefix", "_unused")

    def __init__(self, prefix: str = "") -> None:
        """Each id begins with `prefix`."""
        self._prefix = prefix
        self._unused: list[str] = []

    def __call__(self) -> str:
        """One that was never given."""
        if not self._unused:
            digits, size = os.urandom(_AT_ONCE * _BYTES).hex(), 2 * _BYTES
            places = range(0, len(digits), size)
            self._unused = [self._prefix + digits[at : at + size] for at in places]
        return self._unused.pop()
