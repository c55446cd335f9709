"""Cut tokens into the units that phrases are made of: a word each, contractions undone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from app.domain.cache.guards.stems import Endings, stem
from app.domain.cache.guards.tokens import Kind, Token

_ENGLISH: Final = {
    "can't": "can not", "cannot": "can not", "won't": "will not", "shan't": "shall not",
    "cant": "can not", "wont": "will not", "dont": "do not", "doesnt": "does not",
    "didnt": "did not", "isnt": "is not", "arent": "are not", "wasnt": "was not",
    "couldnt": "could not", "shouldnt": "should not", "wouldnt": "would not", "havent": "have not",
    "hasnt": "has not", "whats": "what is", "wheres": "where is", "whos": "who is",
    "whens": "when is", "hows": "how is", "thats": "that is", "im": "i am", "ive": "i have",
    "id": "id", "gonna": "going to", "wanna": "want to", "gotta": "got to", "let's": "let us",
    "u": "you", "ur": "your", "whys": "why is", "dunno": "do not know",
}  # fmt: skip
_CLITICS: Final = {
    "n't": "not", "'re": "are", "'m": "am", "'ve": "have", "'ll": "will", "'d": "would",
}  # fmt: skip
_IS: Final = ("what", "where", "who", "when", "how", "that", "there", "it", "here", "which", "why")
_IDEOGRAPHS: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_UMLAUT: Final = re.compile(r"(?<![aeq])ue|ae|oe")
_PLAIN_NAME: Final = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Unit:
    """One word, number or sign, folded, and its stem; `is_name`: written as names are."""

    kind: Kind
    text: str
    word: str
    stem: str
    glued: bool = False
    is_name: bool = False
    starts: bool = False  # the first of a sentence


def units_of(tokens: Sequence[Token], endings: Endings) -> list[Unit]:
    """The units of `tokens`; a number and letters glued to it are one word unless a unit."""
    units: list[Unit] = []
    starts = True
    for token in _unhyphened(tokens):
        for unit in _units(token, endings, starts=starts):
            units.append(unit)
            starts = False
        if token.kind is Kind.STOP:
            starts = starts or not set(token.text) <= set(",()")
    return units


def _unhyphened(tokens: Sequence[Token]) -> Iterator[Token]:
    """`tokens` without hyphens between the parts of a word."""
    for at, token in enumerate(tokens):
        after = tokens[at + 1 : at + 2]
        joins = token.text == "-" and token.glued and after and after[0].glued
        if not (joins and Kind.WORD in {tokens[at - 1].kind, after[0].kind}):
            yield token


def _units(token: Token, endings: Endings, *, starts: bool) -> Iterator[Unit]:
    if token.kind is Kind.CODE and _PLAIN_NAME.fullmatch(token.text):
        word = token.folded
        yield Unit(Kind.WORD, token.text, word, word, token.glued, is_name=True, starts=starts)
    elif token.kind is Kind.WORD:
        is_name = token.text[:1].isupper() and not starts and endings.language != "de"
        is_name = is_name or (len(token.text) > 1 and token.text.isupper() and not starts)
        folded = "usa" if token.text == "US" else token.folded
        for place, word in enumerate(_words(folded, endings.language)):
            yield Unit(
                Kind.WORD,
                token.text,
                word,
                stem(word, endings),
                token.glued or place > 0,
                is_name=is_name,
                starts=starts and place == 0,
            )
    else:
        yield Unit(token.kind, token.text, token.folded, token.folded, token.glued, starts=starts)


def _words(folded: str, language: str) -> list[str]:
    if folded.isalpha():
        if _IDEOGRAPHS.search(folded):
            return list(folded)
        if language == "de":
            return [_UMLAUT.sub(lambda match: match[0][0], folded)]
        return _ENGLISH.get(folded, folded).split() if language == "en" else [folded]
    if language == "en":
        return _uncontracted(folded)
    return [part for part in folded.split("'") if part]


def _uncontracted(folded: str) -> list[str]:
    if folded in _ENGLISH:
        return _ENGLISH[folded].split()
    for ending, word in _CLITICS.items():
        if folded.endswith(ending) and len(folded) > len(ending):
            return [folded[: -len(ending)], word]
    head, _, tail = folded.partition("'")
    if tail in {"s", ""}:
        return [head, "is"] if head in _IS and tail else [head]
    return [part for part in folded.split("'") if part]
