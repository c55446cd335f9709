from __future__ import annotations

from app.domain.routing.warm_cache import KEPT_S, LEAST_TOKENS, MOST, STEP_TOKENS, WarmCaches

TALK = b"talk"


def test_a_conversation_finds_its_prompt_where_it_was_read() -> None:
    """In whole steps, and nowhere else."""
    caches = WarmCaches()
    caches.read(TALK, "east", 2000, 0.0)
    assert caches.cached(TALK, "east", 5000, 1.0) == 2000 - 2000 % STEP_TOKENS
    assert caches.cached(TALK, "west", 5000, 1.0) == 0
    assert caches.cached(b"another", "east", 5000, 1.0) == 0
    assert caches.where(TALK, 1.0) == "east"


def test_no_more_is_cached_than_the_prompt_has() -> None:
    """An earlier turn sent again."""
    caches = WarmCaches()
    caches.read(TALK, "east", 9000, 0.0)
    assert caches.cached(TALK, "east", 1500, 1.0) == 1500 - 1500 % STEP_TOKENS


def test_short_prompts_are_not_cached() -> None:
    """Azure caches from 1,024 tokens on."""
    caches = WarmCaches()
    caches.read(TALK, "east", LEAST_TOKENS - 1, 0.0)
    assert caches.cached(TALK, "east", 5000, 1.0) == 0
    assert caches.where(TALK, 1.0) is None


def test_what_was_read_long_ago_is_cold() -> None:
    """And reading again warms it."""
    caches = WarmCaches()
    caches.read(TALK, "east", 2000, 0.0)
    assert caches.cached(TALK, "east", 2000, KEPT_S) > 0
    assert caches.cached(TALK, "east", 2000, KEPT_S + 1) == 0
    assert caches.where(TALK, KEPT_S + 1) is None
    caches.read(TALK, "east", 2000, KEPT_S + 1)
    assert caches.where(TALK, KEPT_S + 2) == "east"


def test_the_last_deployment_that_read_it_is_believed_to_have_it() -> None:
    """One that had it before is taken to be cold: a request more is better than one too heavy."""
    caches = WarmCaches()
    caches.read(TALK, "east", 2000, 0.0)
    caches.read(TALK, "west", 2500, 1.0)
    assert caches.where(TALK, 2.0) == "west"
    assert caches.cached(TALK, "east", 2500, 2.0) == 0


def test_the_longest_unused_conversation_is_forgotten_first() -> None:
    """Memory is bounded."""
    caches = WarmCaches()
    caches.read(TALK, "east", 2000, 0.0)
    caches.read(b"old", "east", 2000, 0.0)
    caches.read(TALK, "east", 2000, 0.0)
    for number in range(MOST - 1):
        caches.read(number.to_bytes(4, "big"), "east", 2000, 0.0)
    assert caches.where(TALK, 1.0) == "east"
    assert caches.where(b"old", 1.0) is None
