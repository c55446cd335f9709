"""What phrases stand for."""

from __future__ import annotations

from app.domain.cache.guards.lexicon import Meaning, lexicon, small_words
from app.domain.cache.guards.phrasebook import Phrasebook
from app.domain.cache.guards.tokens import tokens_of
from app.domain.cache.guards.units import units_of

BOOK = Phrasebook(
    {
        "en": "[drop]\nthe\n[start]\nplease find\n[w]\nbuy, purchase\nbuy a pig in a poke\n"
        "[time]\nmoi\n[small]\nthe, and\n[opposite]\nbuy sell",
        "shared": "[symbol]\nunit meter = m\n[unit]\nkm",
    }
)


def meant(text: str, at: int = 0) -> tuple[int, Meaning] | None:
    words = lexicon(BOOK, "en")
    return words.longest(units_of(tokens_of(text), words.endings), at)


def test_the_longest_phrase_counts() -> None:
    """Of two that begin alike the longer one is taken."""
    assert meant("buy a pig in a poke now") == (6, Meaning("w", "buy a pig in a poke"))
    assert meant("buy a pig") == (1, Meaning("w", "buy"))


def test_only_words_with_endings_are_found_by_stems() -> None:
    """`purchased` is `purchase`; a word of a closed class is itself alone."""
    assert meant("purchased") == (1, Meaning("w", "buy"))
    assert meant("moi") == (1, Meaning("time", "moi"))
    assert meant("mois") is None


def test_some_phrases_count_at_the_start_alone() -> None:
    """What says nothing at the start of a sentence is a word elsewhere."""
    assert meant("please find it") == (2, Meaning("drop", ""))
    assert meant("it: please find", 2) == (2, Meaning("drop", ""))
    assert meant("you please find", 1) is None


def test_a_symbol_is_none_by_itself() -> None:
    """Units' letters are looked up apart from words."""
    words = lexicon(BOOK, "en")
    units = units_of(tokens_of("m"), words.endings)
    assert words.longest(units, 0) is None
    assert words.symbol(units, 0) == (1, Meaning("unit", "meter"))


def test_opposites_and_small_words_are_known() -> None:
    """The lists of a table are lists, not phrases."""
    assert frozenset({"buy", "sell"}) in lexicon(BOOK, "en").opposites
    assert small_words(BOOK)["en"] == {"the", "and"}
