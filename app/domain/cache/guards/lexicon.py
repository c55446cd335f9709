"""What words and phrases of a language stand for, made from the tables when first asked for."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from app.domain.cache.guards.numerals import number_phrases
from app.domain.cache.guards.phrasebook import SHARED, Phrasebook, parse
from app.domain.cache.guards.stems import Endings
from app.domain.cache.guards.tokens import fold, tokens_of
from app.domain.cache.guards.units import Unit, units_of

#: Kinds of the tables' sections that only say where something stands, not what is asked.
WEAK: Final = "weak"
FROM: Final = "from"
TO: Final = "to"
BY: Final = "by"
CUT: Final = "cut"
DROP: Final = "drop"
_LISTS: Final = frozenset(
    {
        "opposite",
        "symbol",
        "ending",
        "small",
        "whether",
        "mention",
        "start",
        "ask-start",
        "signoff",
        "present",
        "participle",
        "passive",
        "subject",
        "object",
        "compute",
        "chat",
        "letter",
        "pronoun",
        "around",
        "name",
        "apart",
    }
)
#: Sections whose phrases count at the start of a sentence, and what they are there.
_STARTS: Final = {"start": DROP, "ask-start": "ask", "compute": "compute"}
#: Sections whose words tell a language.
_TELLING: Final = frozenset({"small", "letter", "drop", "ask", "neg", "weak"})
#: The last of a lexicon's fields.
_WORD_LISTS: Final = ("passive", "subject", "object", "chat", "around", "pronoun", "name", "apart")
#: Those of which all languages share some.
_SHARED_LISTS: Final = frozenset({"name", "apart"})
#: Words of the longest phrase.
_LONGEST: Final = 12


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a phrase stands for: the guard that looks after it, and one name for all its forms."""

    kind: str
    value: str


_Phrases: TypeAlias = dict[str, list[tuple[tuple[str, ...], Meaning]]]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What is known of a language: phrases by their first word, the longest first.

    Only words that may be inflected are looked up by their stems: `moi` is not `mois`.
    """

    endings: Endings
    exact: _Phrases
    stemmed: _Phrases
    starts: _Phrases  # what phrases are at the start of a sentence
    symbols: _Phrases  # of units, behind numbers
    opposites: frozenset[frozenset[str]] = frozenset()
    whether: frozenset[str] = frozenset()  # begin a yes-or-no question
    mentions: frozenset[str] = frozenset()  # with these a prompt is about words
    signoffs: frozenset[str] = frozenset()  # before the name of who wrote
    present: frozenset[str] = frozenset()  # auxiliaries
    participles: tuple[str, ...] = ()  # endings
    passive: frozenset[str] = frozenset()  # auxiliaries
    subjects: frozenset[str] = frozenset()  # I
    objects: frozenset[str] = frozenset()  # me
    chat: frozenset[str] = frozenset()  # words of small talk
    around: frozenset[str] = frozenset()  # words that small talk is made with, too
    pronouns: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()  # of persons, that say nothing below a letter
    apart: frozenset[str] = frozenset()  # small words and endings that tell near prompts apart

    def longest(self, units: Sequence[Unit], at: int) -> tuple[int, Meaning] | None:
        """The longest phrase that begins at `at`, with its number of words."""
        words = [unit.word for unit in units[at : at + _LONGEST]]
        started = _longest(self.starts, words) if units[at].starts else None
        found = _longest(self.exact, words)
        stems = [unit.stem for unit in units[at : at + _LONGEST]]
        both = (started, found, _longest(self.stemmed, stems))
        return max((each for each in both if each), key=lambda each: each[0], default=None)

    def symbol(self, units: Sequence[Unit], at: int) -> tuple[int, Meaning] | None:
        """The unit that a word behind a number is."""
        return _longest(self.symbols, [unit.word for unit in units[at : at + 2]])


def _longest(phrases: _Phrases, words: list[str]) -> tuple[int, Meaning] | None:
    for phrase, meaning in phrases.get(words[0], ()):
        if tuple(words[: len(phrase)]) == phrase:
            return len(phrase), meaning
    return None


@functools.lru_cache(maxsize=64)
def lexicon(book: Phrasebook, language: str) -> Lexicon:
    """All that is known of `language`; for one without a table, what all languages share."""
    text = book.tables.get(language, "")
    endings = _endings(language, text)
    shared = book.tables.get(SHARED, "")
    entries = dict(_entries(shared, endings))
    for phrase, value in number_phrases(language):
        entries[_units(phrase, endings)] = Meaning("number", value)
    entries.update(_entries(text, endings))
    inflected = {phrase: meaning for phrase, meaning in entries.items() if meaning.kind == "w"}
    return Lexicon(
        endings,
        _by_first({_words(phrase): meaning for phrase, meaning in entries.items()}),
        _by_first({_stems(phrase): meaning for phrase, meaning in inflected.items()}),
        _by_first(dict(_starts(text, endings))),
        _by_first({_words(each): meaning for each, meaning in _symbols(book, endings)}),
        frozenset(_opposites(text)),
        _listed(text, "whether", endings),
        frozenset(_stemmed(text, "mention", endings)),
        frozenset(fold(phrase) for section, _, phrase in parse(text) if section == "signoff"),
        _listed(text, "present", endings),
        tuple(phrase for section, _, phrase in parse(text) if section == "participle"),
        *(
            _listed(f"{text}\n{shared}" if section in _SHARED_LISTS else text, section, endings)
            for section in _WORD_LISTS
        ),
    )


@functools.lru_cache(maxsize=4)
def small_words(book: Phrasebook) -> dict[str, frozenset[str]]:
    """The words that tell each language from its neighbours."""
    return {
        language: frozenset(
            word if section == "letter" else fold(word)
            for section, _, word in parse(text)
            if section in _TELLING and " " not in word
        )
        for language, text in book.tables.items()
    }


def _endings(language: str, table: str) -> Endings:
    found = [(value, ending) for section, value, ending in parse(table) if section == "ending"]
    shortest = int(found[0][0]) if found else 3
    return Endings(language, tuple(ending for _, ending in found), shortest)


def _by_first(entries: Mapping[tuple[str, ...], Meaning]) -> _Phrases:
    phrases: _Phrases = {}
    for words, meaning in sorted(entries.items(), key=lambda entry: -len(entry[0])):
        phrases.setdefault(words[0], []).append((words, meaning))
    return phrases


def _listed(table: str, wanted: str, endings: Endings) -> frozenset[str]:
    phrases = (phrase for section, _, phrase in parse(table) if section == wanted)
    return frozenset(_units(phrase, endings)[0].word for phrase in phrases)


def _stemmed(table: str, wanted: str, endings: Endings) -> Iterator[str]:
    for section, _, phrase in parse(table):
        if section == wanted:
            yield _units(phrase, endings)[0].stem


def _starts(table: str, endings: Endings) -> Iterator[tuple[tuple[str, ...], Meaning]]:
    for section, value, phrase in parse(table):
        if section in _STARTS:
            yield _words(_units(phrase, endings)), _meaning(_STARTS[section], value)


def _symbols(book: Phrasebook, endings: Endings) -> Iterator[tuple[tuple[Unit, ...], Meaning]]:
    for section, value, phrase in parse(book.tables.get(SHARED, "")):
        if section == "symbol":
            kind, _, named = value.partition(" ")
            yield _units(phrase, endings), Meaning(kind, named)


def _entries(table: str, endings: Endings) -> Iterator[tuple[tuple[Unit, ...], Meaning]]:
    for section, value, phrase in parse(table):
        units = () if section in _LISTS else _units(phrase, endings)
        if units:
            yield units, _meaning(section, value)


def _meaning(section: str, value: str) -> Meaning:
    return Meaning(section, "" if section == DROP else value)


def _opposites(table: str) -> Iterator[frozenset[str]]:
    for section, _, phrase in parse(table):
        if section == "opposite":
            yield frozenset(word.replace("_", " ") for word in phrase.split())


def _units(phrase: str, endings: Endings) -> tuple[Unit, ...]:
    return tuple(units_of(tokens_of(phrase), endings))


def _words(units: Sequence[Unit]) -> tuple[str, ...]:
    return tuple(unit.word for unit in units)


def _stems(units: Sequence[Unit]) -> tuple[str, ...]:
    return tuple(unit.stem for unit in units)
