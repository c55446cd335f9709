"""Reading a prompt into what it says."""

from __future__ import annotations

import functools

import pytest

from app.adapters.phrasebook import load_phrasebook
from app.domain.cache.guards.items import Reading
from app.domain.cache.guards.lexicon import Lexicon, lexicon
from app.domain.cache.guards.reading import read
from app.domain.cache.guards.tokens import tokens_of


@functools.cache
def english() -> Lexicon:
    return lexicon(load_phrasebook(), "en")


def reading(text: str) -> Reading:
    return read(tokens_of(text), english())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Could you please tell me the ETA?", ["eta"]),
        ("two hundred and five lamps", ["205", "lamp"]),
        ("2/3 of 9", ["0.666667", "9"]),
        ("at 7 pm", ["19:00"]),
        ("on 2024-03-05", ["2024", "m3", "5"]),
        ("a 2FA app", ["2 factor authentication", "app"]),
        ("shine it on", ["shin", "on"]),
        ("use `x = 1`", ["use", "x = 1"]),
        ("run foo.bar()", ["execute", "foo.bar()"]),
    ],
)
def test_it_says(text: str, said: list[str]) -> None:
    """Courtesies go; numbers, times and dates have one form; code stays as it is."""
    values = [item.value for item in reading(text).items]
    assert [value.removeprefix("estimated time of arrival") or "eta" for value in values] == said


def test_questions_tenses_and_persons_are_seen() -> None:
    """What is asked, when, and whether I do it or it is done to me."""
    assert reading("Why was it sold?").asks == {"why"}
    assert reading("Why was it sold?").tenses == {"past"}
    assert reading("Will they sue me?").persons == {"object"}
    assert reading("How do I sue them?").persons == {"subject"}


def test_with_words_about_words_nothing_is_a_courtesy() -> None:
    """To be thanked is what is asked about when something is to be said."""
    said = {item.kind for item in reading("How do I say thanks in Thai?").items}
    assert "courtesy" in said


def test_bare_keywords_are_terse() -> None:
    """An article is enough not to be."""
    assert reading("lamp red").is_terse
    assert not reading("the red lamp").is_terse
