"""What is known of languages: tables of words and phrases, and how words are spelled.

A table is text. `[section]` begins a section, `#` a remark. Every other line is
`phrase, phrase, ...`, which all stand for the first, or `value = phrase, ...`. The sections:

- drop: says nothing (articles, courtesies); start: says nothing at the start of a sentence
- ask: kind of question; neg, quant, ord, cmp, tense, time, rel, unit, cur, lang, out, number, w:
  things said, each kind with a guard of its own (`app.domain.cache.guards.agreement`)
- symbol: "kind value" of a sign that counts only behind a number or a slash
- weak, from, to, by: prepositions; cut: parts of a sentence end here
- opposite: pairs of values, a blank in a value written as _
- present, passive: auxiliaries of either; participle: what participles end with
- chat, around: clauses of words of both, one of them of chat at least, say nothing
- pronoun; subject, object: I, and me; compute: nothing at the start of a prompt with numbers
- small, letter: words and letters that tell the language; mention: a prompt with one is about words
- whether: begins a yes-or-no question; ask-start: as ask, at the start of a sentence
- signoff: before the name of who wrote; name: such a name
- apart: small words, and endings, that count where prompts differ in hardly a word
- ending: what is cut off words, "letters left = ..."
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from app.domain.cache.guards.spelling import NO_SPELLING, Spelling

#: The table of what all languages share.
SHARED: Final = "shared"


@dataclass(frozen=True, slots=True, eq=False)
class Phrasebook:
    """`tables` by language (ISO 639-1); without one, only what is spelled alike is alike."""

    tables: Mapping[str, str] = field(default_factory=dict)
    spelling: Spelling = NO_SPELLING


def parse(table: str) -> Iterator[tuple[str, str, str]]:
    """(section, value, phrase) of each phrase.

    A line below `[section]` is `phrase, phrase, ...`, all of them the value that the first names,
    or `value = phrase, phrase, ...`.
    """
    section = ""
    for line in table.splitlines():
        if line.startswith("#"):
            continue
        if line.startswith("["):
            section = line.strip("[]")
        elif line:
            value, is_named, rest = line.rpartition(" = ")
            phrases = [phrase.strip() for phrase in rest.split(",")]
            for phrase in phrases:
                yield section, value if is_named else phrases[0], phrase
