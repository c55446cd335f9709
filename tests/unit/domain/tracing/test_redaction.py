"""What is taken out of a text, and what is left."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli.key import new_key
from app.domain.tracing.redaction import redacted, redacted_start

SECRETS = {
    "an address": ("jane.doe+news@mail.example.co.uk", "[email]"),
    "a gateway's key": (new_key("live"), "[key]"),
    "OpenAI's key": ("sk-proj-abcDEF0123456789_-xyz", "[key]"),
    "Azure's key": ("0123456789abcdef0123456789abcdef", "[key]"),
    "base64": ("dGhpcyBpcyBhIHNlY3JldCBvZiBtaW5lLCBrZWVwIGl0", "[key]"),
    "a token": ("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "[key]"),
    "GitHub's token": ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "[key]"),
    "AWS's key": ("AKIAIOSFODNN7EXAMPLE", "[key]"),
    "a header": ("Bearer abc.def-123", "[key]"),
    "a card": ("4111 1111 1111 1111", "[number]"),
    "a telephone": ("+49 (30) 123-4567 89", "[number]"),
    "an account": ("DE89 3704 0044 0532 0130 00", "[number]"),
}


@pytest.mark.parametrize(("secret", "name"), SECRETS.values(), ids=SECRETS)
def test_what_is_somebodys_is_replaced_by_what_it_was(secret: str, name: str) -> None:
    """Wherever it stands."""
    assert redacted(secret) == name
    assert redacted(f"It is {secret}, I think") == f"It is {name}, I think"
    assert redacted(f"是{secret}。") == f"是{name}。"


@pytest.mark.parametrize(
    "text",
    [
        "How many people live in Oslo? About 717,710.",
        "Call me at 5, or in 2026.",
        "gpt-4o costs $2.50 for 1,000,000 tokens",
        "uncharacteristically long words stay",
        "a @ b, and 3 @ 4",
        "",
    ],
)
def test_other_texts_stay(text: str) -> None:
    """Short numbers, words and signs are nobody's."""
    assert redacted(text) == text


@pytest.mark.parametrize("secret", [secret for secret, _ in SECRETS.values()], ids=SECRETS)
def test_a_cut_leaves_no_part_of_a_secret(secret: str) -> None:
    """Wherever it goes through; as much as could not be recognised is left out, too."""
    text = f"Please use {secret} for this, and nothing else of mine at all."
    digits = "".join(each for each in secret.removeprefix("Bearer") if each.isalnum())
    for most in range(12, len(text)):
        shown = redacted_start(text, most)
        assert len(shown) <= most
        kept = "".join(each for each in shown.removeprefix("Please use") if each.isalnum())
        assert not any(digits[at : at + 5] in kept for at in range(len(digits) - 4))


def test_a_cut_is_marked() -> None:
    """And comes at the end of a word; a text that is short enough is whole."""
    assert redacted_start("one two three", 9) == "one two…"
    assert redacted_start("one two", 7) == "one two"
    assert redacted_start("说说说说说说", 4) == "说说说…"


@given(st.text(max_size=200), st.integers(1, 100))
def test_no_more_than_asked_for(text: str, most: int) -> None:
    """Of any text."""
    assert len(redacted_start(text, most)) <= most


@pytest.mark.alone
@pytest.mark.parametrize(
    "unit",
    ["a", "1", "1 ", "a@", "@", "a.", "AB12 ", "sk-", "eyJ", "Bearer ", "+1(", "a-", "12345 67 "],
)
def test_time_grows_with_the_text_alone(unit: str) -> None:
    """No text makes a pattern look at it over and over."""

    def seconds(length: int) -> float:
        text = (unit * length)[:length] + "!"
        took = []
        for _ in range(5):
            began = time.process_time()
            redacted(text)
            took.append(time.process_time() - began)
        return min(took)

    assert seconds(80_000) < 40 * seconds(8_000) + 0.01
