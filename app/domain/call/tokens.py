"""Counts tokens as the models do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import quicktok  # type: ignore[import-untyped]  # it ships no types

O200K: Final = "o200k_base"
CL100K: Final = "cl100k_base"
#: Models that are known by name; a fleet has fewer.
_MOST_MODELS: Final = 1024
#: Each message of a prompt has one, and it is always the same text.
_ROLES: Final = ("assistant", "developer", "function", "system", "tool", "user")
_LONGEST_ROLE: Final = max(map(len, _ROLES))

# GPT-4o and everything after it reads o200k. "gpt-4.1", "gpt-4.5" and "gpt-4o" are such models.
_CL100K_MODELS: Final = re.compile(r"gpt-4$|gpt-4-|gpt-35|gpt-3\.5|text-embedding-|davinci|babbage")


def vocabulary(model: str) -> str:
    """The name of the vocabulary that `model`, a base model's name, reads."""
    return CL100K if _CL100K_MODELS.match(model.lower()) else O200K


class TokenCounter:
    """Token counts by base model; vocabularies are loaded when first needed, or by `warm`.

    About 0.2 µs for a short text and 0.4 ms per KB for the worst text known (a run of "-"), with
    the interpreter's lock released: above some 8 KB call it in a thread.
    """

    __slots__ = ("_counting", "_tokenizers")

    def __init__(self) -> None:
        self._tokenizers: dict[str, quicktok.Tokenizer] = {}
        self._counting: dict[str, Callable[[str], int]] = {}  # by model

    def warm(self, models: Iterable[str] | None = None) -> None:
        """Load the vocabularies of these models now; None: both.

        About a quarter of a second each, 57 MB and 29 MB.
        """
        names = (O200K, CL100K) if models is None else {*map(vocabulary, models)}
        for name in names:
            self._tokenizers[name] = quicktok.get_encoding(name)

    def counting(self, model: str) -> Callable[[str], int]:
        """What counts texts for `model`, as `count` does."""
        known = self._counting.get(model)
        if known is None:
            if len(self._counting) >= _MOST_MODELS:
                self._counting.clear()
            known = self._counting[model] = _counting(self._tokenizer(model))
        return known

    def count(self, text: str, model: str) -> int:
        """Tokens of `text`; what looks like a special token is ordinary text."""
        return self.counting(model)(text)

    def encode(self, text: str, model: str) -> Sequence[int]:
        """Token ids of `text`, as many as `count` says."""
        ids: list[int] = self._tokenizer(model).encode_ordinary(without_surrogates(text))
        return ids

    def pieces(self, text: str, model: str) -> list[str]:
        """`text` cut where its tokens meet; the cuts are only readable for ASCII text."""
        decode = self._tokenizer(model).decode
        return [decode([token]) for token in self.encode(text, model)]

    def _tokenizer(self, model: str) -> quicktok.Tokenizer:
        name = vocabulary(model)
        tokenizer = self._tokenizers.get(name)
        if tokenizer is None:
            tokenizer = self._tokenizers[name] = quicktok.get_encoding(name)
        return tokenizer


def _counting(tokenizer: quicktok.Tokenizer) -> Callable[[str], int]:
    count: Callable[[str], int] = tokenizer.count
    of_roles = {role: count(role) for role in _ROLES}

    def counted(text: str) -> int:
        if len(text) <= _LONGEST_ROLE and text in of_roles:
            return of_roles[text]
        return count(text if text.isascii() else without_surrogates(text))

    return counted


def without_surrogates(text: str) -> str:
    """`text` with each lone surrogate replaced: JSON can say one, UTF-8 and tokenizers cannot."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
