"""Compare two prompts: they agree when nothing that one says is left over in the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from app.domain.cache.guards.items import Item, Reading
from app.domain.cache.guards.language import language_of
from app.domain.cache.guards.leftovers import without_counterparts
from app.domain.cache.guards.legible import is_unreadable, scribbles_differ
from app.domain.cache.guards.lexicon import Lexicon, lexicon, small_words
from app.domain.cache.guards.minimal import differs
from app.domain.cache.guards.order import places_differ, stands_apart
from app.domain.cache.guards.phrasebook import Phrasebook
from app.domain.cache.guards.quantities import with_quantities
from app.domain.cache.guards.reading import read
from app.domain.cache.guards.spelling import mended
from app.domain.cache.guards.tokens import MAX_CHARS, Token, plain, tokens_of
from app.domain.cache.guards.verbatim import is_apart

#: The guard that looks after each kind of item, in the order they are asked.
GUARDS: Final = {
    "code": "code", "address": "address", "number": "number", "quantity": "number",
    "ord": "ordinal", "unit": "unit",
    "cur": "currency", "time": "time", "neg": "negation", "quant": "quantifier",
    "cmp": "comparison", "rel": "relation", "lang": "language",
    "out": "output", "courtesy": "quote", "sign": "sign", "w": "content",
}  # fmt: skip
#: Questions that a terse prompt leaves out, the one that counts most first.
_SOFT: Final = ("howto", "whether", "meaning", "list", "explain", "what")
#: Pairs of them that have the same answer.
_ALIKE: Final = frozenset(
    frozenset(pair.split())
    for pair in ("what list", "what explain", "what meaning", "explain meaning")
)
#: Things said, with so few of which it matters whether it is you or they.
_FEW: Final = 2
#: Tokens of a prompt that is read, so that the work is bounded: some 2,000 characters of prose.
_MOST_TOKENS: Final = 400
_MODAL: Final = frozenset({"can", "must", "should"})


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Why two prompts are not the same. `left` and `right` are private text: never into a log."""

    guard: str
    left: str = ""
    right: str = ""


def agree(left: str, right: str, book: Phrasebook) -> Disagreement | None:
    """None when both ask for the same; `book` is what is known of languages."""
    if left == right:
        return None
    if max(len(left), len(right)) > MAX_CHARS:
        return Disagreement("length")
    if is_unreadable(left) or is_unreadable(right):
        return Disagreement("unreadable")
    left, right = plain(left), plain(right)
    if scribbles_differ(left, right):
        return Disagreement("sign")
    readings = _readings(left, right, book)
    if isinstance(readings, Disagreement):
        return readings
    one, other = readings
    return (
        _emptiness(one, other)
        or _questions(one, other)
        or _tenses(one, other)
        or _persons(one, other)
        or _items(one, other, book)
        or stands(one, other)
        or _wording(one, other, book)
        or (Disagreement("verbatim") if is_apart(left, right) else None)
    )


def _emptiness(one: Reading, other: Reading) -> Disagreement | None:
    """Courtesies alone answer what was said before: "yes please" is not "no, thanks"."""
    says_something = any(item.kind != "courtesy" for item in (*one.items, *other.items))
    return None if says_something else Disagreement("nothing-said")


def _readings(left: str, right: str, book: Phrasebook) -> tuple[Reading, Reading] | Disagreement:
    one, other = tokens_of(left), tokens_of(right)
    if max(_size(one), _size(other)) > _MOST_TOKENS:
        return Disagreement("too-complex")
    first, second = _language(one, book), _language(other, book)
    if first and second and first != second:
        return Disagreement("prompt-language", first, second)
    language = first or second or _language((*one, *other), book)
    one, other = (
        mended(one, other, language, book.spelling),
        mended(other, one, language, book.spelling),
    )
    words = lexicon(book, language)
    return _read(one, words), _read(other, words)


def _size(tokens: tuple[Token, ...]) -> int:
    """Tokens and the parts of words at apostrophes, which are units of their own."""
    return sum(1 + token.text.count("'") for token in tokens)


def _read(tokens: tuple[Token, ...], words: Lexicon) -> Reading:
    found = read(tokens, words)
    return replace(found, items=with_quantities(found.items))


def _language(tokens: tuple[Token, ...], book: Phrasebook) -> str:
    return language_of(tokens, small_words(book), book.spelling)


def stands(one: Reading, other: Reading) -> Disagreement | None:
    """Disagreement on the order of what both say."""
    pair = stands_apart(one, other)
    return Disagreement("direction", *pair) if pair else None


def _wording(one: Reading, other: Reading, book: Phrasebook) -> Disagreement | None:
    words = lexicon(book, one.language)
    apart = differs(one.units, other.units, words) or places_differ(one, other, words.apart)
    return Disagreement("wording") if apart else None


def _questions(one: Reading, other: Reading) -> Disagreement | None:
    soft = frozenset(_SOFT)
    left, right = one.asks - soft, other.asks - soft
    if left != right:
        guard = "modality" if (left ^ right) & _MODAL else "question"
        return Disagreement(guard, " ".join(sorted(left)), " ".join(sorted(right)))
    first, second = _main(one.asks), _main(other.asks)
    if not first or not second or first == second or frozenset({first, second}) in _ALIKE:
        return None
    if left and "howto" not in {first, second}:
        return None
    return Disagreement("question", first, second)


def _tenses(one: Reading, other: Reading) -> Disagreement | None:
    """A prompt that leaves its tense open agrees with any."""
    if one.tenses and other.tenses and one.tenses != other.tenses:
        return Disagreement("tense", " ".join(sorted(one.tenses)), " ".join(sorted(other.tenses)))
    return None


def _persons(one: Reading, other: Reading) -> Disagreement | None:
    """What I do is not what is done to me."""
    if {one.persons, other.persons} == {frozenset({"subject"}), frozenset({"object"})}:
        return Disagreement("direction", *one.persons, *other.persons)
    if min(len(one.items), len(other.items)) <= _FEW and one.pronouns != other.pronouns:
        return Disagreement("person")
    return None


def _main(asks: frozenset[str]) -> str:
    return next((ask for ask in _SOFT if ask in asks), "")


def _items(one: Reading, other: Reading, book: Phrasebook) -> Disagreement | None:
    if one.quotes and other.quotes and one.quotes != other.quotes:
        return Disagreement("quote", one.quotes[0], other.quotes[0])
    left, right = without_counterparts(one, other)
    for kind, guard in GUARDS.items():
        first, second = _of(left, kind), _of(right, kind)
        if first or second:
            return Disagreement(
                _named(guard, first, second, lexicon(book, one.language).opposites),
                _text(first),
                _text(second),
            )
    return None


def _of(items: list[Item], kind: str) -> list[Item]:
    return [item for item in items if item.kind == kind]


def _text(items: list[Item]) -> str:
    return " ".join(item.value for item in items)


def _named(
    guard: str, left: list[Item], right: list[Item], opposites: frozenset[frozenset[str]]
) -> str:
    if guard != "content":
        return guard
    if any(frozenset({a.value, b.value}) in opposites for a in left for b in right):
        return "antonym"
    return "name" if any(item.is_name for item in left + right) else "content"
