"""What only one of two prompts says."""

from __future__ import annotations

import pytest

from app.adapters.phrasebook import load_phrasebook
from app.domain.cache.guards.leftovers import without_counterparts
from app.domain.cache.guards.lexicon import Lexicon, lexicon
from app.domain.cache.guards.reading import read
from app.domain.cache.guards.tokens import tokens_of


@pytest.fixture(scope="module")
def english() -> Lexicon:
    return lexicon(load_phrasebook(), "en")


@pytest.mark.parametrize(
    ("left", "right", "only_left", "only_right"),
    [
        ("a red door", "a green door", ["red"], ["green"]),
        ("the time zone", "the timezone", [], []),
        ("an XRD device", "an x-ray diffraction device", ["xrd"], ["x ray", "diffraction"]),
        ("an SVM", "a support vector machine", [], []),
        ("the POC", "the proof of concept", [], []),
        ("the PM", "the project lead", ["pm"], ["project", "lead"]),
        ("1 lamp", "a lamp", [], []),
        ("lamp 1", "a lamp", ["1"], []),
        ("two doors, one red door", "two doors", ["1", "red", "door"], []),
    ],
)
def test_each_word_needs_its_own_counterpart(
    english: Lexicon, left: str, right: str, only_left: list[str], only_right: list[str]
) -> None:
    """Joined words and initials are counterparts; a word said twice needs two."""
    one, other = (read(tokens_of(text), english) for text in (left, right))
    found = without_counterparts(one, other)
    assert [[item.value for item in side] for side in found] == [only_left, only_right]
