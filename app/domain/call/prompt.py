"""How many tokens a prompt has, by OpenAI's published rules.

Chat messages: 3 tokens each, their values, 1 for a name, and 3 that prime the answer (OpenAI
Cookbook, "How to count tokens with tiktoken"). Tools are counted as the JSON they came as, which is
a little more than the form they are shown to the model in. Images: `app.domain.call.image`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from math import ceil
from typing import Final

import msgspec

from app.domain.call.image import Image, image_tokens

_PER_MESSAGE: Final = 3
_PER_NAME: Final = 1
_PRIMING: Final = 3
#: A file or a sound whose content nobody has read: about ten pages of text.
_PER_FILE: Final = 10_000
#: Characters counted one by one: some half a million tokens of prose, and under a second for the
#: worst text known (a run of "-"). Of what is longer, samples are counted.
_EXACT_CHARS: Final = 2 * 1024 * 1024
_SAMPLE_CHARS: Final = 32 * 1024


class Prompt(msgspec.Struct, frozen=True, gc=False):
    """What a request gives a model to read."""

    texts: tuple[str, ...] = ()
    messages: int = 0
    names: int = 0
    images: tuple[Image, ...] = ()
    files: int = 0
    tokens: int = 0  # given as token ids


def tokens_of(prompt: Prompt, count: Callable[[str], int], model: str) -> int:
    """Tokens that `model`, a base model, reads; `count` counts a text's."""
    written = text_tokens(prompt.texts, count) + prompt.tokens
    framed = prompt.messages * _PER_MESSAGE + prompt.names * _PER_NAME
    primed = _PRIMING if prompt.messages else 0
    seen = sum([image_tokens(each, model) for each in prompt.images]) if prompt.images else 0
    return written + framed + primed + seen + prompt.files * _PER_FILE


def text_tokens(texts: Sequence[str], count: Callable[[str], int]) -> int:
    """Tokens of all texts, each by itself; of a very long whole, as samples all over it have."""
    if sum(map(len, texts)) <= _EXACT_CHARS:
        return sum(map(count, texts))
    whole = "".join(texts)
    counted = sum(count(whole[start : start + _SAMPLE_CHARS]) for start in _starts(whole))
    return ceil(counted * len(whole) / _EXACT_CHARS)


def _starts(whole: str) -> Iterator[int]:
    """Where samples begin: one in each part, at a place that changes with every change of the text.

    Who knew the places could put nothing but blanks there, and what is dear between them.
    """
    samples = _EXACT_CHARS // _SAMPLE_CHARS
    part = len(whole) // samples
    drawn = blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=samples).digest()
    for number, byte in enumerate(drawn):
        yield number * part + byte * (part - _SAMPLE_CHARS) // 255
