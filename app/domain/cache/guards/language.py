"""Which language a prompt is written in: by its script, and by the small words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from app.domain.cache.guards.spelling import Spelling
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
_READ: Final = 60
#: One letter in so many of a script is enough: names and code are often Latin.
_SCRIPT_PART: Final = 8
#: What a word counts that a dictionary has; a small word counts 1.
_KNOWN: Final = 0.5
_MARGIN: Final = 0.5
_MARGIN_OF_KEYWORDS: Final = 1.5  # with none of the small words


def language_of(
    tokens: tuple[Token, ...], small: Mapping[str, frozenset[str]], spelling: Spelling
) -> str:
    """ISO 639-1 code, empty when nothing tells.

    `small` are words that tell languages apart. Quoted text and code do not count.
    """
    words = [token.folded for token in tokens if token.kind is Kind.WORD][:_READ]
    text = " ".join(words)
    for language, script in _SCRIPTS:
        if len(script.findall(text)) * _SCRIPT_PART > len(text):
            return language
    letters = {char for token in tokens[:_READ] for char in token.text.lower() if char > "\x7f"}
    return _by_words([*_PART.findall(text), *sorted(letters)], small, spelling)


def _by_words(words: list[str], small: Mapping[str, frozenset[str]], spelling: Spelling) -> str:
    hits = dict.fromkeys(small, 0.0)
    for word in words:
        for language, its in small.items():
            if word in its:
                hits[language] += 1
            elif spelling.knows(word, language):
                hits[language] += _KNOWN
    best, second = ([("", 0.0), ("", 0.0), *sorted(hits.items(), key=lambda each: each[1])])[:-3:-1]
    margin = _MARGIN if best[1] > len(words) * _KNOWN else _MARGIN_OF_KEYWORDS
    return best[0] if best[1] >= 1 and best[1] >= second[1] + margin else ""
