"""The order of what two prompts say."""

from __future__ import annotations

import pytest

from app.adapters.phrasebook import load_phrasebook
from app.domain.cache.guards.lexicon import Lexicon, lexicon
from app.domain.cache.guards.order import places_differ, stands_apart
from app.domain.cache.guards.reading import read
from app.domain.cache.guards.tokens import tokens_of


@pytest.fixture(scope="module")
def english() -> Lexicon:
    return lexicon(load_phrasebook(), "en")


@pytest.mark.parametrize(
    ("left", "right", "apart"),
    [
        ("in June the fair opens", "the fair opens in June", False),
        ("a lock for bikes", "a bike lock", False),
        ("figs, nuts and dates", "dates, figs and nuts", False),
        ("oslo weather january", "the weather in Oslo in January", False),
        ("does it log errors", "are errors logged", False),
        ("cats chase mice", "mice chase cats", True),
        ("fly to Oslo", "fly from Oslo", True),
        ("5, 3 and 4", "3, 4 and 5", True),
        ("a boss was sued by a clerk", "a clerk was sued by a boss", True),
        ("who is paid by a clerk", "who pays a clerk", True),
    ],
)
def test_phrases_move_and_roles_do_not(
    english: Lexicon, left: str, right: str, *, apart: bool
) -> None:
    """What may stand elsewhere, and what means something else there."""
    one, other = (read(tokens_of(text), english) for text in (left, right))
    assert (stands_apart(one, other) is not None) is apart
    assert (stands_apart(other, one) is not None) is apart


@pytest.mark.parametrize(
    ("left", "right", "differ"),
    [
        ("is it in the box", "please, is it on the box", True),
        ("the fair in June", "in June the fair", False),
        ("a lock for bikes", "a bike lock", False),
    ],
)
def test_a_place_is_where_the_preposition_says(
    english: Lexicon, left: str, right: str, *, differ: bool
) -> None:
    """The same noun behind another preposition of place is another place."""
    one, other = (read(tokens_of(text), english) for text in (left, right))
    assert places_differ(one, other, english.apart) is differ
    assert places_differ(other, one, english.apart) is differ
