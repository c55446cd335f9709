"""Tokens of a prompt by the published rules."""

from __future__ import annotations

import pytest

from app.domain.prompt import Image, Prompt, image_tokens, tokens_of


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


@pytest.mark.parametrize(
    ("model", "image", "tokens"),
    [
        # The examples of OpenAI's page.
        ("gpt-4o", Image(1024, 1024), 765),
        ("gpt-4o", Image(2048, 4096), 1105),
        ("gpt-4o", Image(4096, 8192, low_detail=True), 85),
        ("gpt-4o-mini", Image(1024, 1024), 2833 + 4 * 5667),
        ("gpt-4.1-mini", Image(1024, 1024), 1659),
        ("gpt-4.1-mini", Image(1800, 2400), 2489),
        ("gpt-4o", Image(1, 1), 255),
        # Of unknown size: the most that there is.
        ("gpt-4o", Image(), 85 + 8 * 170),
        ("o4-mini", Image(), 2642),
    ],
)
def test_images_are_priced_by_their_rule(model: str, image: Image, tokens: int) -> None:
    """Tiles or patches."""
    assert image_tokens(image, model) == tokens
