from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.simulator.prompt_cache import PromptCache, prefixes_of


def hits(cache: PromptCache, tokens: list[int], key: str = "") -> int:
    prefixes = prefixes_of(tokens, key)
    known = cache.known(prefixes)
    cache.remember(prefixes)
    return known


@given(shared=st.integers(0, 3000), tail=st.integers(0, 500))
def test_hits_begin_at_1024_and_come_in_steps_of_128(shared: int, tail: int) -> None:
    """What two prompts share counts in whole blocks, however they go on."""
    cache = PromptCache()
    hits(cache, [1] * shared + [2] * 200)

    expected = 0 if shared < 1024 else 1024 + (shared - 1024) // 128 * 128
    assert hits(cache, [1] * shared + [3] * tail) == expected


def test_nothing_is_known_before_it_was_seen() -> None:
    """The first call of a prompt is never cached, the second is."""
    cache = PromptCache()
    assert hits(cache, list(range(2000))) == 0
    assert hits(cache, list(range(2000))) == 1920


def test_the_cache_key_separates() -> None:
    """`prompt_cache_key` is part of the hash."""
    cache = PromptCache()
    hits(cache, [1] * 1024, "a")

    assert hits(cache, [1] * 1024, "b") == 0
    assert hits(cache, [1] * 1024, "a") == 1024


def test_a_different_first_token_is_a_different_prompt() -> None:
    """Only identical leading tokens count, not common ones further on."""
    cache = PromptCache()
    hits(cache, [1] * 4000)
    assert hits(cache, [0] + [1] * 4000) == 0


def test_memory_is_bounded() -> None:
    """The least recently used prefix is forgotten first."""
    cache = PromptCache(capacity=2)
    for first in (1, 2, 1, 3):
        hits(cache, [first] * 1024)

    assert hits(cache, [1] * 1024) == 1024
    assert hits(cache, [2] * 1024) == 0
