"""Telling slips from other words."""

from __future__ import annotations

import pytest

from app.adapters.phrasebook import load_phrasebook
from app.domain.cache.guards.spelling import NO_SPELLING, edits, is_slip, mended
from app.domain.cache.guards.tokens import tokens_of


@pytest.mark.parametrize(
    ("word", "meant", "slips"),
    [
        ("acount", "account", True),
        ("wehn", "when", True),
        ("statment", "statement", True),
        ("nuxt", "next", False),
        ("cat", "car", False),
        ("subscripton", "subscriptions", True),
    ],
)
def test_short_words_forgive_less(word: str, meant: str, *, slips: bool) -> None:
    """Short words may only have two letters swapped."""
    assert is_slip(word, meant) is slips


def test_a_swap_is_one_edit() -> None:
    """Neighbours that changed places count once, other letters once each."""
    assert (edits("teh", "the"), edits("abc", "abc"), edits("abc", "adce")) == (1, 0, 2)


def test_the_dictionary_knows_words_and_not_their_slips() -> None:
    """The filter that ships has the words of its languages, and is silent on others."""
    spelling = load_phrasebook().spelling
    assert spelling.knows("account", "en")
    assert not spelling.knows("acount", "en")
    assert not spelling.knows("account", "xx")
    assert not NO_SPELLING.knows("account", "en")


def test_another_case_is_no_slip() -> None:
    """Where a dictionary lacks cases, a word with another ending is another word."""
    spelling = load_phrasebook().spelling
    asked, kept = tokens_of("Учителя ударил ученик"), tokens_of("Учитель ударил ученика")
    assert mended(asked, kept, "ru", spelling) == asked
