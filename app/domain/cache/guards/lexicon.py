"""What words and phrases of a language stand for, made from the tables when first asked for."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from app.domain.cache.guards.numerals import number_phrases
from app.domain.cache.guards.phrasebook import SHARED, Phrasebook, parse
from app.domain.cache.guards.stems import Endings
from app.domain.cache.guards.tokens import fold, tokens_of
from app.domain.cache.guards.units import units_of

#: Kinds of the tables' sections that only say where something stands, not what is asked.
WEAK: Final = "weak"
FROM: Final = "from"
TO: Final = "to"
BY: Final = "by"
CUT: Final = "cut"
DROP: Final = "drop"
START: Final = "start"
SYMBOL: Final = "symbol"
_LISTS: Final = frozenset({"opposite", "ending", "small", "whether", "mention"})


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a phrase stands for: the guard that looks after it, and one name for all its forms."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What is known of a language. `phrases` are by their first stem, the longest first."""

    endings: Endings
    phrases: dict[str, list[tuple[tuple[str, ...], Meaning]]] = field(default_factory=dict)
    opposites: frozenset[frozenset[str]] = frozenset()
    whether: frozenset[str] = frozenset()  # stems that begin a yes-or-no question
    mentions: frozenset[str] = frozenset()  # stems with which a prompt is about words

    def longest(self, stems: Sequence[str], at: int) -> tuple[int, Meaning] | None:
        """The longest phrase that begins at `at`, with its number of words."""
        for words, meaning in self.phrases.get(stems[at], ()):
            if tuple(stems[at : at + len(words)]) == words:
                return len(words), meaning
        return None


@functools.lru_cache(maxsize=64)
def lexicon(book: Phrasebook, language: str) -> Lexicon:
    """All that is known of `language`; for one without a table, what all languages share."""
    text = book.tables.get(language, "")
    endings = _endings(language, text)
    entries: dict[tuple[str, ...], Meaning] = {}
    entries.update(_entries(book.tables.get(SHARED, ""), endings))
    for phrase, value in number_phrases(language):
        entries[_stems(phrase, endings)] = Meaning("number", value)
    entries.update(_entries(text, endings))
    return Lexicon(
        endings,
        _by_first(entries),
        frozenset(_opposites(text)),
        _listed(text, "whether", endings),
        _listed(text, "mention", endings),
    )


@functools.lru_cache(maxsize=4)
def small_words(book: Phrasebook) -> dict[str, frozenset[str]]:
    """The words that tell each language from its neighbours."""
    return {
        language: frozenset(fold(word) for section, _, word in parse(text) if section == "small")
        for language, text in book.tables.items()
    }


def _endings(language: str, table: str) -> Endings:
    found = [(value, ending) for section, value, ending in parse(table) if section == "ending"]
    shortest = int(found[0][0]) if found else 3
    return Endings(language, tuple(ending for _, ending in found), shortest)


def _by_first(
    entries: dict[tuple[str, ...], Meaning],
) -> dict[str, list[tuple[tuple[str, ...], Meaning]]]:
    phrases: dict[str, list[tuple[tuple[str, ...], Meaning]]] = {}
    for words, meaning in sorted(entries.items(), key=lambda entry: -len(entry[0])):
        phrases.setdefault(words[0], []).append((words, meaning))
    return phrases


def _listed(table: str, wanted: str, endings: Endings) -> frozenset[str]:
    phrases = (phrase for section, _, phrase in parse(table) if section == wanted)
    return frozenset(_stems(phrase, endings)[0] for phrase in phrases)


def _entries(table: str, endings: Endings) -> Iterator[tuple[tuple[str, ...], Meaning]]:
    for section, value, phrase in parse(table):
        words = () if section in _LISTS else _stems(phrase, endings)
        if words:
            yield words, _meaning(section, value)


def _meaning(section: str, value: str) -> Meaning:
    if section in {DROP, START}:
        return Meaning(section, "")
    return Meaning(section, value)


def _opposites(table: str) -> Iterator[frozenset[str]]:
    for section, _, phrase in parse(table):
        if section == "opposite":
            yield frozenset(word.replace("_", " ") for word in phrase.split())


def _stems(phrase: str, endings: Endings) -> tuple[str, ...]:
    return tuple(unit.stem for unit in units_of(tokens_of(phrase), endings))
