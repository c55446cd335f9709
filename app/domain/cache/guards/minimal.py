"""Two prompts that differ in hardly a word: there a small word, an ending or a capital counts.

"In the box" and "on the box" may be one question told in two ways, but not where all the other
words are the same: then the small word is what one of them was changed for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.domain.cache.guards.lexicon import Lexicon
from app.domain.cache.guards.tokens import Kind
from app.domain.cache.guards.units import Unit

#: Words that may differ.
_MOST: Final = 3
#: Words of the shortest prompt that is no bare list of keywords, whose order is free.
_SENTENCE: Final = 5
#: Languages whose words say by their endings who does it and whom it is done to.
_CASES: Final = frozenset({"ru", "uk", "pl", "ko", "tr"})
_UNMARKED: Final = frozenset({"de"})  # "ae" for "ä" is usual
_JOINTS: Final = frozenset(
    {"and", "or", "vs", "versus", "und", "oder", "et", "ou", "y", "o", "e", "och", "en", "и", "или"}
)
_PERFECT: Final = frozenset({"have", "has", "had"})
_FUTURE: Final = frozenset({"will"})
_MODALS: Final = frozenset({"could", "should", "would", "must", "might", "may"})
_HALF_NEGATIONS: Final = frozenset({"plus", "personne", "aucun", "aucune", "rien", "jamais"})
_NE: Final = frozenset({"ne", "n"})
#: Units that are others in capitals.
_CASED_UNITS: Final = frozenset(
    {"mw", "mg", "mv", "mhz", "mpa", "kb", "mb", "gb", "tb", "mbps", "gbps"}
)
_COMMA: Final = ","


def differs(left: Sequence[Unit], right: Sequence[Unit], words: Lexicon) -> bool:
    """Whether a small word, an ending, an accent or a capital tells them apart."""
    one, other = _words(left), _words(right)
    if _timed(one, other, words.endings.language) or _units_differ(one, other):
        return True
    if len(one) != len(other):
        return False
    changed = [(a, b) for a, b in zip(one, other, strict=True) if a.word != b.word]
    if not changed:
        return _commas_differ(left, right) or _written_apart(one, other, words)
    if len(changed) > _MOST:
        return False
    return (
        _small_words_differ(changed, words)
        or _endings_differ(changed, words)
        or _swap(one, other, words)
    )


def _words(units: Sequence[Unit]) -> list[Unit]:
    return [unit for unit in units if unit.kind is not Kind.STOP]


def _timed(one: list[Unit], other: list[Unit], language: str) -> bool:
    """What has been is not what will be, and "n'ai plus" is not "ai plus"."""
    left, right = ({unit.word for unit in side} for side in (one, other))
    if language == "fr":
        return bool(_HALF_NEGATIONS & left & right) and bool(_NE & left) != bool(_NE & right)
    if language != "en":
        return False
    if _was(left) != _was(right) and _FUTURE & (left ^ right):
        return True
    return _unreal(one) != _unreal(other)


def _units_differ(one: list[Unit], other: list[Unit]) -> bool:
    """Whether a unit, as mW and MW, has other capitals, where both are written well."""
    if not (_has_case(one) and _has_case(other)):
        return False
    left, right = (
        {unit.text for unit in side if unit.word in _CASED_UNITS} for side in (one, other)
    )
    return left != right and bool(
        {each.lower() for each in left} & {each.lower() for each in right}
    )


def _was(said: set[str]) -> bool:
    return bool(_PERFECT & said)


def _unreal(units: list[Unit]) -> bool:
    """Whether it says "could have"."""
    return any(
        unit.word in _MODALS and any(near.word == "have" for near in units[at + 1 : at + 3])
        for at, unit in enumerate(units)
    )


def _commas_differ(left: Sequence[Unit], right: Sequence[Unit]) -> bool:
    """Whether both have commas, but between other words."""
    one, other = _commas(left), _commas(right)
    return bool(one and other) and one != other


def _commas(units: Sequence[Unit]) -> list[int]:
    places, words = [], 0
    for unit in units:
        words += unit.kind is not Kind.STOP
        if unit.kind is Kind.STOP and unit.text == _COMMA:
            places.append(words)
    return places


def _written_apart(one: list[Unit], other: list[Unit], words: Lexicon) -> bool:
    """Whether a word has another accent or a capital inside a sentence, in two well-kept texts."""
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a.kind is Kind.WORD is b.kind]
    marked = words.endings.language not in _UNMARKED and _has_accents(one) and _has_accents(other)
    if marked and any(a.text.casefold() != b.text.casefold() for a, b in pairs):
        return True
    inside = [(a.text, b.text) for a, b in pairs if not a.starts and not b.starts]
    return (
        _has_case(one)
        and _has_case(other)
        and any(a != b and a.lower() == b.lower() for a, b in inside)
    )


def _has_accents(units: list[Unit]) -> bool:
    return any(not unit.text.isascii() for unit in units)


def _has_case(units: list[Unit]) -> bool:
    """Whether the prompt begins with a capital, and goes on in lower case."""
    inside = [unit.text for unit in units if unit.kind is Kind.WORD and not unit.starts]
    return units[0].text[:1].isupper() and any(text.islower() for text in inside)


def _small_words_differ(changed: list[tuple[Unit, Unit]], words: Lexicon) -> bool:
    small = [{a.word, b.word} <= words.apart for a, b in changed]
    return any(small) and all(
        is_small or a.stem == b.stem for is_small, (a, b) in zip(small, changed, strict=True)
    )


def _endings_differ(changed: list[tuple[Unit, Unit]], words: Lexicon) -> bool:
    """Whether only endings differ, and say who does it, where it is, or when."""
    if any(a.stem != b.stem for a, b in changed):
        return False
    language = words.endings.language
    if language == "en":
        return any(a.word.endswith("ed") != b.word.endswith("ed") for a, b in changed)
    endings = ({unit.word[len(unit.stem) :] for unit in pair} for pair in changed)
    return language in _CASES and (len(changed) > 1 or any(each <= words.apart for each in endings))


def _swap(one: list[Unit], other: list[Unit], words: Lexicon) -> bool:
    """Whether two words of a sentence have changed places, and are not two of a list."""
    places = [at for at, (a, b) in enumerate(zip(one, other, strict=True)) if a.word != b.word]
    if len(places) != 2:  # noqa: PLR2004 - of a swap
        return False
    first, second = places
    if len(one) < _SENTENCE and not {one[first].word, one[second].word} & words.apart:
        return False
    if (one[first].word, one[second].word) != (other[second].word, other[first].word):
        return False
    between = {unit.word for unit in one[first + 1 : second]}
    return not between or not between <= _JOINTS
