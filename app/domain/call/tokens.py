"""Counts tokens as the models do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import quicktok  # type: ignore[import-untyped]  # it ships no types

O200K: Final = "o200k_base"
CL100K: Final = "cl100k_base"

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

    __slots__ = ("_tokenizers",)

    def __init__(self) -> None:
        self._tokenizers: dict[str, quicktok.Tokenizer] = {}

    def warm(self) -> None:
        """Load both vocabularies now: about a quarter of a second and 65 MB + 29 MB."""
        for name in (O200K, CL100K):
            self._tokenizers[name] = quicktok.get_encoding(name)

    def count(self, text: str, model: str) -> int:
        """Tokens of `text`; what looks like a special token is ordinary text."""
        return int(self._tokenizer(model).count(without_surrogates(text)))

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


def without_surrogates(text: str) -> str:
    """`text` with each lone surrogate replaced: JSON can say one, UTF-8 and tokenizers cannot."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
