"""Cut endings off words, lightly: what is left is compared, never shown.

A stemmer that cuts too much takes one word for another, and a wrong answer is served; one that cuts
too little costs a hit. So only endings of inflection go, not those that make new words.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Final

_VOWEL: Final = re.compile(r"[aeiouy]")
_DOUBLED: Final = re.compile(r"([bdgklmnprt])\1$")
_KEPT_DOUBLE: Final = ("ll", "ss", "ff", "zz")


@dataclass(frozen=True, slots=True)
class Endings:
    """What may be cut off words of `language`, the longest first; `shortest` letters are left."""

    language: str = ""
    cut: tuple[str, ...] = ()
    shortest: int = 3


@functools.lru_cache(maxsize=16384)
def stem(word: str, endings: Endings) -> str:
    """What is left of a folded `word` without its ending."""
    if endings.language == "en":
        return _english(word)
    for ending in endings.cut:
        if word.endswith(ending) and len(word) - len(ending) >= endings.shortest:
            return _closed(word[: -len(ending)], endings.language)
    return word


def _closed(cut: str, language: str) -> str:
    return cut[:-1] if language == "de" and _DOUBLED.search(cut) and len(cut) > 4 else cut  # noqa: PLR2004 - "kündigst", "stoppt": one rule for doubled letters of longer stems


def _english(word: str) -> str:
    if len(word) <= 3:  # noqa: PLR2004 - "was", "bus", "red"
        return word
    word = _singular(word)
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            word = _undoubled(word[: -len(ending)], word)
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word  # noqa: PLR2004 - "the"


def _singular(word: str) -> str:
    if word.endswith(("ies", "ied")) and len(word) > 4:  # noqa: PLR2004 - "ties", "lied"
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _undoubled(cut: str, word: str) -> str:
    if not _VOWEL.search(cut):
        return word
    if _DOUBLED.search(cut) and not cut.endswith(_KEPT_DOUBLE):
        return cut[:-1]
    return cut
