"""Whether two answers say the same."""

from __future__ import annotations

import pytest

from app.adapters.phrasebook import load_phrasebook
from app.domain.cache.answers_alike import by_meaning, by_words
from app.domain.cache.error_rate import Comparison
from app.domain.cache.guards.phrasebook import Phrasebook
from app.domain.cache.guards.tokens import MAX_CHARS

SAME, DIFFERENT, UNDECIDED = Comparison.SAME, Comparison.DIFFERENT, Comparison.UNDECIDED


@pytest.fixture(scope="module")
def book() -> Phrasebook:
    return load_phrasebook()


@pytest.mark.parametrize(
    ("kept", "fresh", "said"),
    [
        ("Paris.", "paris", SAME),
        ("The capital is Paris.", "the capital is **Paris**!", SAME),
        ("It costs 5 dollars.", "It costs 6 dollars.", DIFFERENT),
        ("It takes 3 minutes.", "It takes 3 hours.", DIFFERENT),
        ("The capital is Paris.", "The capital is Rome.", DIFFERENT),
        ("You can do that.", "You can not do that.", DIFFERENT),
        ("Yes.", "No.", DIFFERENT),
        (
            "This is the largest town of the country and it lies on a river.",
            "Das ist die größte Stadt des Landes und sie liegt an einem Fluss.",
            DIFFERENT,
        ),
        ("Restart it and wait.", "Restart it and wait for 30 seconds.", UNDECIDED),
        ("You could ask Alice or Bob about it.", "You could ask Alice about it.", UNDECIDED),
        ("Open the settings and choose a password.", "Choose a password in the settings.", None),
        ("Press the button for 5 seconds.", "Hold the button down for 5 seconds.", None),
    ],
)
def test_what_words_decide(
    book: Phrasebook, kept: str, fresh: str, said: Comparison | None
) -> None:
    """The other way round, too."""
    assert by_words(kept, fresh, book) is said
    assert by_words(fresh, kept, book) is said


def test_a_not_in_a_long_answer_decides_nothing(book: Phrasebook) -> None:
    """It leaves the answer open."""
    long = "Open the settings, then choose the account, and then choose the password. " * 4
    assert by_words(long, f"{long} Do not close it.", book) is UNDECIDED


def test_what_is_too_long_to_be_read_is_the_same_only_word_for_word(book: Phrasebook) -> None:
    """That its beginning is says nothing of its end."""
    long = "word " * MAX_CHARS
    assert by_words(long, f" {long}", book) is SAME
    assert by_words(long, f"{long} more", book) is UNDECIDED


@pytest.mark.parametrize(
    ("said", "distance", "found"),
    [
        (None, 0.2, SAME),
        (None, 0.3, UNDECIDED),
        (None, 0.5, DIFFERENT),
        (UNDECIDED, 0.0, UNDECIDED),
        (UNDECIDED, 0.5, DIFFERENT),
    ],
)
def test_what_meaning_makes_of_it(
    said: Comparison | None, distance: float, found: Comparison
) -> None:
    """Near answers are the same only where their words agree."""
    assert by_meaning(said, distance, near=0.2) is found
