"""Ways to write a number."""

from __future__ import annotations

import pytest

from app.domain.cache.guards.numerals import canonical, combined, number_phrases


@pytest.mark.parametrize(
    ("text", "language", "number"),
    [
        ("1,000", "en", "1000"),
        ("1.000", "de", "1000"),
        ("1.000", "en", "1"),
        ("3,5", "de", "3.5"),
        ("3.50", "en", "3.5"),
        ("1.234.567,89", "es", "1234567.89"),
        ("200 000", "fr", "200000"),
        ("007", "en", "7"),
        ("0", "en", "0"),
        ("\u0663", "ar", "3"),
    ],
)
def test_digits_have_one_form(text: str, language: str, number: str) -> None:
    """Separators are read as the language writes them."""
    assert canonical(text, language) == number


@pytest.mark.parametrize(
    ("values", "number"),
    [
        (["20", "x1000", "5"], "20005"),
        (["2", "x100", "x1000"], "200000"),
        (["1.5", "x1000000"], "1500000"),
    ],
)
def test_words_multiply_and_add(values: list[str], number: str) -> None:
    """Number words that follow each other are one number."""
    assert combined(values) == number


@pytest.mark.parametrize(
    ("language", "phrase", "value"),
    [
        ("en", "forty two", "42"),
        ("de", "dreiundvierzig", "43"),
        ("fr", "quatre-vingt dix-sept", "97"),
        ("es", "treinta y uno", "31"),
        ("nl", "vijfentwintig", "25"),
    ],
)
def test_number_words_have_their_value(language: str, phrase: str, value: str) -> None:
    """Each language composes tens and ones in its own way."""
    assert dict(number_phrases(language))[phrase] == value
