"""What is recorded of a request and the cache."""

from __future__ import annotations

import pytest

from app.domain.cache.outcome import BYPASSED, CacheRecord, CacheResult


@pytest.mark.parametrize(
    ("result", "is_hit"),
    [
        (CacheResult.EXACT, True),
        (CacheResult.SEMANTIC, True),
        (CacheResult.MISS, False),
        (CacheResult.BYPASS, False),
    ],
)
def test_a_hit_is_what_was_not_asked_upstream(result: CacheResult, *, is_hit: bool) -> None:
    """A miss in shadow mode is none, however near it was."""
    assert CacheRecord(result, would_hit=True).is_hit is is_hit


def test_a_cache_that_is_off_says_so() -> None:
    """Which is what a request is without further ado."""
    assert (BYPASSED.result, BYPASSED.reason) == (CacheResult.BYPASS, "off")
