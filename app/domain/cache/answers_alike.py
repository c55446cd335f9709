"""Whether two answers to one question say the same, as far as text can tell.

Two answers of one model rarely have the same words. What they say in numbers, names and negations
can be compared all the same; where that does not decide, how near they are in meaning may.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.domain.cache.error_rate import Comparison
from app.domain.cache.guards.language import language_of
from app.domain.cache.guards.lexicon import lexicon, small_words
from app.domain.cache.guards.phrasebook import Phrasebook
from app.domain.cache.guards.reading import read
from app.domain.cache.guards.tokens import MAX_CHARS, Kind, Token, tokens_of

_NUMBERS: Final = frozenset({"number", "quantity", "ord", "unit", "cur", "time"})
#: Of Markdown, around words.
_MARKUP: Final = frozenset({"*", "**", "#", "##", "###"})
#: Longer answers have a "not" somewhere that decides nothing.
_SHORT: Final = 200


@dataclass(frozen=True, slots=True)
class _Facts:
    language: str
    numbers: frozenset[tuple[str, str]]
    names: frozenset[str]
    negates: bool


def by_words(kept: str, fresh: str, book: Phrasebook) -> Comparison | None:
    """What the words decide; None where they agree in all that counts, and meaning may decide.

    UNDECIDED: one says more than the other, so that meaning can only tell that they differ. Takes
    time with the length of both.
    """
    if kept.split() == fresh.split():
        return Comparison.SAME
    if max(len(kept), len(fresh)) > MAX_CHARS:
        return Comparison.UNDECIDED  # nobody reads them to their end
    one, other = tokens_of(kept), tokens_of(fresh)
    if _words(one) == _words(other):
        return Comparison.SAME
    left, right = _facts(one, book), _facts(other, book)
    is_short = max(len(kept), len(fresh)) <= _SHORT
    if _contradict(left, right, is_short=is_short):
        return Comparison.DIFFERENT
    says_the_same = (left.numbers, left.names, left.negates) == (
        right.numbers,
        right.names,
        right.negates,
    )
    return None if says_the_same else Comparison.UNDECIDED


def by_meaning(said: Comparison | None, distance: float, near: float) -> Comparison:
    """What the distance of two answers makes of what their words said.

    Up to `near` they mean the same; what is twice as far apart does not.
    """
    if distance > 2 * near:
        return Comparison.DIFFERENT
    return Comparison.SAME if said is None and distance <= near else Comparison.UNDECIDED


def _contradict(one: _Facts, other: _Facts, *, is_short: bool) -> bool:
    """Each has a number that the other lacks, all names are others, or one says no."""
    only_one, only_other = one.numbers - other.numbers, other.numbers - one.numbers
    return (
        bool(only_one and only_other)
        or bool(one.names and other.names and not one.names & other.names)
        or (is_short and one.negates != other.negates)
        or bool(one.language and other.language and one.language != other.language)
    )


def _words(tokens: tuple[Token, ...]) -> list[str]:
    return [
        token.folded
        for token in tokens
        if token.kind is not Kind.STOP and token.folded not in _MARKUP
    ]


def _facts(tokens: tuple[Token, ...], book: Phrasebook) -> _Facts:
    language = language_of(tokens, small_words(book), book.spelling)
    items = read(tokens, lexicon(book, language or "en")).items
    return _Facts(
        language,
        numbers=frozenset((each.kind, each.value) for each in items if each.kind in _NUMBERS),
        names=frozenset(each.value for each in items if each.kind == "w" and each.is_name),
        negates=any(each.kind == "neg" for each in items),
    )
