"""Embeddings: unit vectors that only the text decides, near each other for texts that share words.

A word and its letter triples each turn eight coordinates up or down, so that a semantic cache in
front of the simulator has something to find.
"""

from __future__ import annotations

import base64
import math
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

from app.simulator import refusal
from app.simulator.prompt import Prompt

Json = dict[str, Any]

_WORD: Final = re.compile(r"\w+")
_COORDINATES: Final = 8
_WORD_WEIGHT: Final = 3.0
_USUAL_DIMENSIONS: Final = 1536
_LARGE_DIMENSIONS: Final = 3072


def dimensions_of(model: str, body: Mapping[str, Any]) -> int:
    """The length of the vectors: `dimensions` of the request, or the model's.

    Raises:
        Refusal: `dimensions` is more than the model has, or no count at all.
    """
    own = _LARGE_DIMENSIONS if "3-large" in model else _USUAL_DIMENSIONS
    asked = body.get("dimensions")
    if asked is None:
        return own
    if not isinstance(asked, int) or isinstance(asked, bool) or not 1 <= asked <= own:
        raise refusal.invalid(f"Invalid 'dimensions': expected 1 to {own}.", param="dimensions")
    return asked


def embedding_body(model: str, vectors: Sequence[array[float]], *, as_base64: bool) -> Json:
    """The answer without its usage."""
    return {
        "object": "list",
        "model": model,
        "data": [
            {
                "object": "embedding",
                "index": index,
                "embedding": _base64(vector) if as_base64 else vector.tolist(),
            }
            for index, vector in enumerate(vectors)
        ],
    }


def vector_of(prompt: Prompt, dimensions: int) -> array[float]:
    """The 32-bit unit vector of a text, or of tokens where no text was sent."""
    vector = array("f", bytes(4 * dimensions))
    for feature, weight in _features(prompt):
        digest = blake2b(feature.encode("utf-8", "replace"), digest_size=4 * _COORDINATES).digest()
        for number in array("I", digest):
            vector[(number >> 1) % dimensions] += weight if number & 1 else -weight
    length = math.sqrt(math.fsum(value * value for value in vector))
    if not length:
        vector[0] = length = 1.0
    return array("f", (value / length for value in vector))


def _features(prompt: Prompt) -> Iterator[tuple[str, float]]:
    if not prompt.text:
        yield from ((f"token {token}", 1.0) for token in prompt.tokens)
    for word in _WORD.findall(prompt.text.lower()):
        yield word, _WORD_WEIGHT
        padded = f" {word} "
        for start in range(len(padded) - 2):
            yield padded[start : start + 3], 1.0


def _base64(vector: array[float]) -> str:
    """Little-endian 32-bit floats, which is what the SDKs ask for unless told otherwise."""
    return base64.b64encode(vector.tobytes()).decode()
