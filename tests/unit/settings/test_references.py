"""Names that one section gives and another uses."""

from __future__ import annotations

from collections.abc import Callable

Found = Callable[[str], list[str]]


def test_the_embedder_of_the_cache_is_a_model(found: Found, minimal: str) -> None:
    """One that there is not is named at its place, with what may have been meant."""
    assert found(minimal + "cache: {embedder: {model: gpt-4o}}\n") == []
    assert found(minimal + "cache: {embedder: {model: gpt-4}}\n") == [
        "9:27: cache.embedder.model: names no model of `models`; did you mean gpt-4o?"
    ]


def test_who_compares_answers_is_a_model(found: Found, minimal: str) -> None:
    """One of `models:`, as the embedder is."""
    assert found(minimal + "cache: {comparator: {model: gpt-4o}}\n") == []
    assert found(minimal + "cache: {comparator: {model: gpt-4}}\n") == [
        "9:29: cache.comparator.model: names no model of `models`; did you mean gpt-4o?"
    ]
