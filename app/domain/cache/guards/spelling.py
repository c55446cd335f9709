"""Spelling slips: a word that no dictionary has, and that is nearly one of the other prompt."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.domain.cache.guards.tokens import Kind, Token

#: Letters of the shortest word that may have a letter too many, too few or wrong; with fewer, down
#: to three, two neighbours may have changed places.
_SLIP_LETTERS: Final = 5
_SWAP_LETTERS: Final = 3
_TWO_SLIPS: Final = 9
_PROBES: Final = 6
#: The last of the Latin letters, but for rare ones.
_LATIN: Final = "\u024f"
#: Languages of whose words the dictionary does not have every case.
_INFLECTED: Final = frozenset({"ru"})
#: Words of a prompt that are looked at; with more, slips are not forgiven.
_MOST_WORDS: Final = 120


@dataclass(frozen=True, slots=True)
class Spelling:
    """The words of some languages as a Bloom filter: it knows every one, and few others.

    To take a misspelled word for a known one only costs a hit.
    """

    bits: bytes
    languages: frozenset[str]

    def knows(self, word: str, language: str) -> bool:
        """Whether `word`, folded, is in the dictionary of `language`."""
        if language not in self.languages:
            return False
        size = len(self.bits) * 8
        return all(self.bits[at // 8] >> at % 8 & 1 for at in probes(word, language, size))


#: Knows no language: no slip is forgiven.
NO_SPELLING: Final = Spelling(b"", frozenset())


@functools.lru_cache(maxsize=1 << 16)
def probes(word: str, language: str, size: int) -> Sequence[int]:
    """The bits, of `size`, that stand for a word."""
    digest = hashlib.blake2b(f"{language}:{word}".encode(), digest_size=4 * _PROBES).digest()
    return [int.from_bytes(digest[4 * i : 4 * i + 4], "big") % size for i in range(_PROBES)]


def mended(
    tokens: tuple[Token, ...], others: tuple[Token, ...], language: str, spelling: Spelling
) -> tuple[Token, ...]:
    """`tokens`, each word that is none replaced by the word of `others` that it nearly is."""
    if language not in spelling.languages or max(len(tokens), len(others)) > _MOST_WORDS:
        return tokens
    there = {token.folded for token in tokens}
    shouts = not any(token.text.islower() for token in tokens)
    known = [
        token.folded
        for token in others
        if token.kind is Kind.WORD
        and token.folded not in there
        and spelling.knows(token.folded, language)
    ]
    return tuple(_mended(token, known, language, spelling, shouts=shouts) for token in tokens)


def _mended(
    token: Token, known: list[str], language: str, spelling: Spelling, *, shouts: bool
) -> Token:
    """Names with capitals inside, or of capitals in a text that is not all capitals, stay."""
    word = token.folded
    if token.kind is not Kind.WORD or not _is_of_one_script(word) or spelling.knows(word, language):
        return token
    if token.text.casefold() != token.text and not token.text.istitle() and not shouts:
        return token
    near = [
        other
        for other in known
        if is_slip(word, other) and not (language in _INFLECTED and _ends_apart(word, other))
    ]
    return replace(token, folded=near[0], text=near[0]) if len(set(near)) == 1 else token


def _is_of_one_script(word: str) -> bool:
    """Whether the letters of `word`, folded, are all a to z, or none is Latin.

    No slip of the hand puts another letter among them.
    """
    return word.isalpha() and (word.isascii() or min(word) > _LATIN)


def _ends_apart(word: str, other: str) -> bool:
    """Whether only the last letters differ: another case, not a slip."""
    shorter = min(len(word), len(other))
    return word[: shorter - 1] == other[: shorter - 1]


def is_slip(word: str, meant: str) -> bool:
    """Whether `word` is `meant` with a slip, or two when both are long."""
    shorter = min(len(word), len(meant))
    if shorter < _SWAP_LETTERS or abs(len(word) - len(meant)) > 2:  # noqa: PLR2004 - two slips
        return False
    if shorter < _SLIP_LETTERS:
        return len(word) == len(meant) and sorted(word) == sorted(meant) and edits(word, meant) == 1
    return edits(word, meant) <= (2 if shorter >= _TWO_SLIPS else 1)


def edits(one: str, other: str) -> int:
    """Letters to add, drop, change or swap to make the one of the other."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        last, before, row = before, row, [i] + [0] * len(other)
        for j, its in enumerate(other, 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != its))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == its:
                row[j] = min(row[j], last[j - 2] + 1)
    return row[-1]
