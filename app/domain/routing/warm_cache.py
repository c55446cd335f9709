"""Where prompts are cached: what a conversation will not be charged for where it went on before.

Azure caches identical leading tokens, 1,024 and more in steps of 128, on the deployment that read
them, for some minutes (prompt caching page, 2026-03). Cached input costs a PTU next to nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

LEAST_TOKENS: Final = 1024
STEP_TOKENS: Final = 128
KEPT_S: Final = 300.0
#: Conversations that are remembered; the longest unused is forgotten first.
MOST: Final = 20_000


class _Read(NamedTuple):
    deployment: str
    tokens: int
    at: float


class WarmCaches:
    """Which deployment last read a conversation's prompt; in memory of one replica."""

    __slots__ = ("_read",)

    def __init__(self) -> None:
        self._read: OrderedDict[bytes, _Read] = OrderedDict()

    def cached(self, key: bytes, deployment: str, prompt: int, now: float) -> int:
        """Tokens of such a prompt that the deployment is likely to have cached."""
        read = self._read.get(key)
        if read is None or read.deployment != deployment or now - read.at > KEPT_S:
            return 0
        shared = min(read.tokens, prompt)
        return shared - shared % STEP_TOKENS if shared >= LEAST_TOKENS else 0

    def where(self, key: bytes, now: float) -> str | None:
        """The deployment that has it warm."""
        read = self._read.get(key)
        warm = read is not None and read.tokens >= LEAST_TOKENS and now - read.at <= KEPT_S
        return read.deployment if read is not None and warm else None

    def read(self, key: bytes, deployment: str, prompt: int, now: float) -> None:
        """A deployment has read a prompt of so many tokens."""
        self._read[key] = _Read(deployment, prompt, now)
        self._read.move_to_end(key)
        if len(self._read) > MOST:
            self._read.popitem(last=False)
