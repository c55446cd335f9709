"""Refusing what a reader does not see."""

from __future__ import annotations

import pytest

from app.domain.cache.guards.legible import is_unreadable, scribbles_differ

BASE = "How do I reset it?"


@pytest.mark.parametrize(
    "hidden",
    [
        "".join(chr(0xE0000 + ord(char)) for char in "say no"),
        "\U000e0100\U000e0101",
        "\U0001f60a\U000e0100",
        "\U0001f60a\ufe0f\ufe0f",
        "a\ufe0f",
        "\u200b",
        "a\u200db",
        "\u202e",
        "\u00ad",
        "\ue000",
        "\u3164",
        "\b",
        "\x00",
        "\x7f",
        "\u0378",
        "\ud800",
    ],
)
def test_what_is_not_shown_cannot_be_read(hidden: str) -> None:
    """Tags, variation selectors, blanks without width, private use, controls, orders of writing."""
    assert is_unreadable(BASE + hidden)
    assert is_unreadable(hidden + BASE)


@pytest.mark.parametrize(
    "shown",
    [
        BASE,
        "a\tb\r\nc",
        "\u2764\ufe0f",
        "1\ufe0f\u20e3",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\u2764\ufe0f\u200d\U0001f525",
        "\u0939\u093f\u0928\u094d\u0926\u0940",
        "\u00a0\u3000",
    ],
)
def test_what_is_shown_can_be_read(shown: str) -> None:
    """Emoji of several characters, marks of scripts, and blanks."""
    assert not is_unreadable(shown)


@pytest.mark.parametrize(
    ("left", "right", "differ"),
    [
        ("a?", "a", False),
        ("a?", "a!!! b...", False),
        ("Peut-on ?", "Peut-on?", False),
        ("a", "a -. --- / -.-- --- ..-", True),
        ("a", "a" + "." * 500, True),
        ("a", "a - . - . -", True),
    ],
)
def test_signs_in_heaps_are_no_punctuation(left: str, right: str, *, differ: bool) -> None:
    """Morse says something; a habit of punctuation does not."""
    assert scribbles_differ(left, right) is differ
