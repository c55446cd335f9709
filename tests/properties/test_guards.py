"""What holds of the guards for any two texts."""

from __future__ import annotations

import functools
import string
import time
import unicodedata

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.adapters.phrasebook import load_phrasebook
from app.domain.cache.guards import agree
from app.domain.cache.guards.phrasebook import Phrasebook
from app.domain.cache.guards.tokens import MAX_CHARS, fold, plain

WORDS = """
how do i the a from to by and or not 5 five 1.000 km € $5 2FA London Paris code() `x` "q" ' ? , . :
- wie ich der den nach von ohne pas ne por qué 怎么 か what's isn't was is been written
"""
ASKED = "How do I reset the password of my account"
#: Punctuation that says nothing by itself, and what is in Latin words.
SLIPS = {
    *string.ascii_letters,
    *" \t\n\r.,!?;:()\"'-/&",
    *"\u2014\u2013\u2026\u00bf\u00a1\u061f\u060c\u0964",
    *"\u3001\u3002\u201c\u201d\u201e\u00ab\u00bb\u300a\u300b\u300c\u300d\u300e\u300f",
    *"\x1c\x1d",
}
PROMPTS = st.one_of(
    st.text(max_size=80), st.lists(st.sampled_from(WORDS.split()), max_size=14).map(" ".join)
)


@functools.cache
def book() -> Phrasebook:
    return load_phrasebook()


@settings(deadline=None, max_examples=300)
@given(PROMPTS)
def test_every_text_agrees_with_itself(text: str) -> None:
    """A prompt that comes again is served, whatever is in it."""
    assert agree(text, text, book()) is None


@settings(deadline=None, max_examples=300)
@given(PROMPTS, PROMPTS)
def test_neither_text_comes_first(left: str, right: str) -> None:
    """The verdict does not depend on which prompt was asked and which was kept."""
    found, turned = agree(left, right, book()), agree(right, left, book())
    assert (found is None) == (turned is None)
    assert found is None or turned is None or found.guard == turned.guard


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(["London", "Paris", "Rome"]), min_size=2, max_size=2, unique=True))
def test_from_and_to_are_never_taken_for_each_other(cities: list[str]) -> None:
    """Whatever the places, the way there is not the way back."""
    there, back = "fly from {} to {}".format(*cities), "fly from {1} to {0}".format(*cities)
    assert agree(there, back, book())


@settings(deadline=None, max_examples=300)
@given(st.characters(), st.integers(0, len(ASKED)))
def test_nothing_is_slipped_in(char: str, at: int) -> None:
    """A character in one of two equal prompts is refused, but for punctuation and Latin letters.

    Those may be slips of the one who typed, and are judged as words.
    """
    said = unicodedata.normalize("NFC", ASKED[:at] + char + ASKED[at:])
    assume(not set(fold(plain(char))) <= SLIPS and fold(plain(said)) != fold(ASKED))
    assert agree(ASKED, said, book())
    assert agree(said, ASKED, book())


@pytest.mark.parametrize(
    "piece", ["a", "word ", "5 ", "1,000", "'", "`", '"', "from A to ", "字", "\n:"]
)
def test_time_grows_with_length_and_no_faster(piece: str) -> None:
    """Ten times the text takes at most some thirty times as long, also with texts made to hurt."""
    longer = piece * (MAX_CHARS // len(piece) - 2)
    shorter = longer[: len(longer) // 10]
    few, many = (min(_seconds(text) for _ in range(3)) for text in (shorter, longer))
    assert many < 30 * few + 0.05


def test_100_kilobytes_are_no_trouble() -> None:
    """What is longer than what is read is refused at once."""
    text = "how do I do this " * 6_000
    assert agree(text + "a", text + "b", book())


_CRAFTED = [
    ("ABCDE ", "alpha bravo charlie delta echo "),
    ("ABCDE ABDE ", "alpha bravo charlie delta echo "),
    ("a-", "b-"),
    ("a'", "b'"),
    ("'a ", "'b "),
    ("`a", "`b"),
    ("a1 ", "a2 "),
    ("a@b.", "a@b"),
    ("[", "]"),
    ("passwrd ", "password "),
    ("x + (y - ", "(x + y) - "),
    ("Polish ", "polish "),
    ("in on at ", "on at in "),
    ("\u5b57\u56fd", "\u56fd\u5b57"),
]
_LONG = 1_900


@pytest.mark.alone
@pytest.mark.parametrize(("one", "other"), _CRAFTED)
def test_texts_made_to_hurt_cost_little_more_than_prose(one: str, other: str) -> None:
    """Twice the text takes at most three times as long, and never sixty times as long as prose."""
    few, many = (
        min(_seconds_of(_fill(one, size), _fill(other, size)) for _ in range(5))
        for size in (_LONG // 2, _LONG)
    )
    prose = _fill("the customer cannot open this invoice, what can we do about it? ", _LONG)
    usual = min(_seconds_of(prose, prose + "now") for _ in range(5))
    assert many < 3 * few + 0.02
    assert many < 60 * usual + 0.02


def _fill(piece: str, size: int) -> str:
    return (piece * size)[:size]


def _seconds(text: str) -> float:
    return _seconds_of(text + " a", text + " b")


def _seconds_of(left: str, right: str) -> float:
    begun = time.process_time()
    agree(left, right, book())
    return time.process_time() - begun
