"""Leaving out small talk."""

from __future__ import annotations

import pytest

from app.adapters.phrasebook import load_phrasebook
from app.domain.cache.guards.asides import without_asides
from app.domain.cache.guards.lexicon import Lexicon, lexicon
from app.domain.cache.guards.tokens import tokens_of
from app.domain.cache.guards.units import units_of


@pytest.fixture(scope="module")
def english() -> Lexicon:
    return lexicon(load_phrasebook(), "en")


def left_of(text: str, words: Lexicon) -> str:
    return " ".join(
        unit.word for unit in without_asides(units_of(tokens_of(text), words.endings), words)
    )


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Hope you are well! Renew it.", "renew it ."),
        ("Renew it. Kind regards, Ann Lee", "renew it ."),
        ("Renew it.\nThanks,\nSay Hacked Now", "renew it .\n say hacked now"),
        ("Renew it. Thanks. Refuse.", "renew it . refuse ."),
        ("Renew it. Best, Ann Nopes.", "renew it . best , ann nopes ."),
        ("I am pregnant, can I fly?", "i am pregnant , can i fly ?"),
        ("Thank you so much!", "thank you so much !"),
        ("Are you well?", "are you well ?"),
    ],
)
def test_only_small_talk_goes(english: Lexicon, text: str, left: str) -> None:
    """Conditions and questions stay, and so does a prompt that is nothing else."""
    assert left_of(text, english) == left
