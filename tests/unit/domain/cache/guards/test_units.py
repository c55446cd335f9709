"""Cutting tokens into units."""

from __future__ import annotations

import pytest

from app.domain.cache.guards.stems import Endings
from app.domain.cache.guards.tokens import tokens_of
from app.domain.cache.guards.units import units_of


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        ("what's it", "en", ["what", "is", "it"]),
        ("don't", "en", ["do", "not"]),
        ("cant", "en", ["can", "not"]),
        ("Bob's", "en", ["bob"]),
        ("dog-friendly", "en", ["dog", "friendly"]),
        ("l'eau", "fr", ["l", "eau"]),
        ("M\u00fcnchen Muenchen", "de", ["munchen", "munchen"]),
        ("\u600e\u4e48", "zh", ["\u600e", "\u4e48"]),
        ("the US", "en", ["the", "usa"]),
        ("A - B", "en", ["a", "-", "b"]),
    ],
)
def test_contractions_and_compounds_come_apart(text: str, language: str, words: list[str]) -> None:
    """Each language in its way."""
    assert [unit.word for unit in units_of(tokens_of(text), Endings(language))] == words


def test_names_and_starts_are_marked() -> None:
    """A capital inside a sentence is a name's; the first word of a sentence starts it."""
    units = units_of(tokens_of("Ask Bob. Then go"), Endings("en"))
    assert [unit.word for unit in units if unit.is_name] == ["bob"]
    assert [unit.word for unit in units if unit.starts] == ["ask", "then"]
