"""Which leading tokens of a prompt a deployment has seen before.

Azure: prompt caching page, 2026-03: the first 1,024 tokens must be identical, further hits come in
steps of 128, `prompt_cache_key` is part of the hash, and caches are not shared.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Final

FIRST_BLOCK: Final = 1024
STEP: Final = 128


class PromptCache:
    """Digests of seen prefixes, the least recently used forgotten first."""

    __slots__ = ("_capacity", "_prefixes")

    def __init__(self, *, capacity: int = 65_536) -> None:
        self._capacity = capacity
        self._prefixes: OrderedDict[bytes, None] = OrderedDict()

    def use(self, tokens: Sequence[int], key: str = "") -> int:
        """Leading tokens known from earlier calls; the whole prompt is known afterwards."""
        known = 0
        prefix_is_known = True
        for length, digest in _prefix_digests(tokens, key):
            prefix_is_known = prefix_is_known and digest in self._prefixes
            if prefix_is_known:
                known = length
            self._remember(digest)
        return known

    def _remember(self, digest: bytes) -> None:
        self._prefixes[digest] = None
        self._prefixes.move_to_end(digest)
        if len(self._prefixes) > self._capacity:
            self._prefixes.popitem(last=False)


def _prefix_digests(tokens: Sequence[int], key: str) -> Iterator[tuple[int, bytes]]:
    running = blake2b(key.encode("utf-8", "replace"), digest_size=16)
    start = 0
    for end in range(FIRST_BLOCK, len(tokens) + 1, STEP):
        running.update(array("q", tokens[start:end]).tobytes())
        start = end
        yield end, running.copy().digest()
