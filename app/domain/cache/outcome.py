"""What the cache did for one request: the record of it, and what a hit saved."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.domain.quota.usage import Usage


class CacheResult(StrEnum):
    """Where an answer came from, as `x-spillgate-cache` says; a closed set."""

    EXACT = "exact"  # the same request was answered before
    SEMANTIC = "semantic"  # one that means the same was
    MISS = "miss"  # looked up, and asked upstream
    BYPASS = "bypass"  # not looked up


_HITS: Final = frozenset({CacheResult.EXACT, CacheResult.SEMANTIC})


@dataclass(frozen=True, slots=True)
class CacheRecord:
    """One request and the cache. `reason` is a word of a closed set, empty for a plain hit or miss.

    `source` is the request that the answer was made for, `distance` the cosine distance of what
    was nearest. `would_hit`: in shadow mode the answer came from upstream all the same.
    """

    result: CacheResult = CacheResult.BYPASS
    reason: str = "off"
    fingerprint: str = ""  # hexadecimal; what the answer is evicted by
    source: str | None = None
    age_s: float | None = None
    distance: float | None = None
    would_hit: bool = False
    saved: Usage | None = None
    saved_nano_usd: int = 0
    saved_s: float = 0.0

    @property
    def is_hit(self) -> bool:
        """Whether nobody upstream was asked."""
        return self.result in _HITS


BYPASSED = CacheRecord()
