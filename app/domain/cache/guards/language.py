"""Which language a prompt is written in: by its script, and by the small words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Final

from app.domain.cache.guards.tokens import Kind, Token

_SCRIPTS: Final = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\uac00-\ud7af]")),
    ("zh", re.compile(r"[\u4e00-\u9fff]")),
    ("uk", re.compile(r"[іїєґ]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("he", re.compile(r"[\u0590-\u05ff]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
    ("hi", re.compile(r"[\u0900-\u097f]")),
    ("th", re.compile(r"[\u0e00-\u0e7f]")),
)
_PART: Final = re.compile(r"[^\W\d_]+")
#: Words that are read to tell the language.
_READ: Final = 80


def language_of(tokens: tuple[Token, ...], small: Mapping[str, frozenset[str]]) -> str:
    """ISO 639-1 code, empty when nothing tells.

    `small` are words that tell languages apart. Quoted text and code do not count.
    """
    words = [token.folded for token in tokens if token.kind is Kind.WORD][:_READ]
    text = " ".join(words)
    for language, script in _SCRIPTS:
        if len(script.findall(text)) * 4 > len(text):
            return language
    return _by_words(_PART.findall(text), small)


def _by_words(words: list[str], small: Mapping[str, frozenset[str]]) -> str:
    hits = Counter(language for word in words for language, its in small.items() if word in its)
    best = hits.most_common(2)
    if not best or (len(best) > 1 and best[0][1] == best[1][1]):
        return ""
    return best[0][0]
