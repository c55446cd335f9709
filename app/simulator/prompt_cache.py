"""Which leading tokens of a prompt a deployment has seen before.

Azure: prompt caching page, 2026-03: the first 1,024 tokens must be identical, further hits come in
steps of 128, `prompt_cache_key` is part of the hash, and caches are not shared.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

FIRST_BLOCK: Final = 1024
STEP: Final = 128


class PromptCache:
    """Digests of seen prefixes, the least recently used forgotten first."""

    __slots__ = ("_capacity", "_seen")

    def __init__(self, *, capacity: int = 65_536) -> None:
        self._capacity = capacity
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def known(self, prefixes: Sequence[Prefix]) -> int:
        """How many leading tokens of the prompt with these prefixes were seen before."""
        known = 0
        for prefix in prefixes:
            if prefix.digest not in self._seen:
                break
            known = prefix.length
        return known

    def remember(self, prefixes: Sequence[Prefix]) -> None:
        for prefix in prefixes:
            self._seen[prefix.digest] = None
            self._seen.move_to_end(prefix.digest)
        while len(self._seen) > self._capacity:
            self._seen.popitem(last=False)


class Prefix(NamedTuple):
    """The first `length` tokens of a prompt."""

    length: int
    digest: bytes


def prefixes_of(tokens: Sequence[int], key: str = "") -> list[Prefix]:
    """The prefixes at which a prompt may hit, the shortest first; `key` is `prompt_cache_key`."""
    running = blake2b(key.encode("utf-8", "replace"), digest_size=16)
    prefixes = []
    start = 0
    for end in range(FIRST_BLOCK, len(tokens) + 1, STEP):
        running.update(array("q", tokens[start:end]).tobytes())
        start = end
        prefixes.append(Prefix(end, running.digest()))
    return prefixes
