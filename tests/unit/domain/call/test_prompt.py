"""Tokens of a prompt by the published rules."""

from __future__ import annotations

import pytest

from app.domain.call.image import Image
from app.domain.call.prompt import Prompt, tokens_of


def test_messages_are_framed() -> None:
    """Three for each, one for a name, three that prime the answer."""
    prompt = Prompt(texts=("user", "Hi there"), messages=1, names=1)
    assert tokens_of(prompt, len, "gpt-4o") == 4 + 8 + 3 + 1 + 3


def test_plain_texts_and_ids_are_not() -> None:
    """An embedding's input is what it is."""
    assert tokens_of(Prompt(texts=("abc",), tokens=7), len, "text-embedding-3-small") == 10


def test_a_file_is_taken_for_ten_pages() -> None:
    """Nobody has read it."""
    assert tokens_of(Prompt(files=2), len, "gpt-4o") == 20_000


def test_images_are_added_by_the_models_rule() -> None:
    """One of unknown size is the largest."""
    prompt = Prompt(images=(Image(512, 512), Image()))
    assert tokens_of(prompt, len, "gpt-4o") == 85 + 170 + 85 + 8 * 170


@pytest.mark.parametrize("texts", [("ab" * 3_000_000,), ("ab" * 50,) * 60_000])
def test_a_very_long_prompt_is_counted_by_samples(texts: tuple[str, ...]) -> None:
    """Nobody's prompt takes seconds: two million characters are counted of any."""
    counted: list[int] = []

    def count(text: str) -> int:
        counted.append(len(text))
        return text.count("a")

    assert tokens_of(Prompt(texts=texts), count, "gpt-4o") == 3_000_000
    assert sum(counted) <= 2 * 1024 * 1024


def test_nothing_hides_between_samples() -> None:
    """Places that do not depend on the text would be known, and could be filled with what is cheap.

    Here the samples of equal distance would all be blank, or all be words.
    """
    for first, second in (("a", " "), (" ", "a")):
        text = (first * 32 * 1024 + second * 32 * 1024) * 64
        counted = tokens_of(Prompt(texts=(text,)), lambda part: part.count("a"), "gpt-4o")
        assert 0.8 < counted / text.count("a") < 1.2
