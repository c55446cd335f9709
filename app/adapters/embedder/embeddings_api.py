"""The embeddings operation of OpenAI's API: one text in a request, one vector in an answer."""

from __future__ import annotations

import base64
import math
import struct
from typing import Any, Final

import orjson

#: Every model's limit is 8,191 tokens or more, and no token is shorter than a byte
#: (OpenAI: API reference, embeddings, 2026).
MAX_BYTES: Final = 8000
#: Whose vectors can be had shorter. Other models, and other servers, refuse `dimensions`
#: (OpenAI: API reference, embeddings, 2026).
_SHORTENED: Final = "text-embedding-3-"


class UnusableVectorError(Exception):
    """An answer that holds no vector, or not such a one as was asked for."""


def request_body(model: str, text: str, *, base_model: str, dimensions: int) -> bytes:
    """The body of `POST /embeddings`; `text` is cut at what every model reads.

    Base64 is a quarter of what numbers in JSON are, and exact. An empty text is a mistake to the
    API, a blank is not.
    """
    read = text.encode("utf-8", "replace")[:MAX_BYTES].decode("utf-8", "ignore")
    fields: dict[str, object] = {"model": model, "input": read or " ", "encoding_format": "base64"}
    if base_model.startswith(_SHORTENED):
        fields["dimensions"] = dimensions
    return orjson.dumps(fields)


def vector_of(body: bytes, *, dimensions: int) -> bytes:
    """The vector of an answer, made to be of length 1, as little-endian f32.

    Takes base64 and, for servers that do not know it, numbers. Raises UnusableVectorError.
    """
    try:
        numbers = _numbers(orjson.loads(body)["data"][0]["embedding"])
        length = math.hypot(*numbers)
        if len(numbers) != dimensions or not math.isfinite(length):
            raise UnusableVectorError(f"not a vector of {dimensions} numbers")
        return struct.pack(f"<{dimensions}f", *(number / length for number in numbers))
    except (ValueError, LookupError, TypeError, ArithmeticError, struct.error) as error:
        raise UnusableVectorError("the answer holds no vector") from error


def _numbers(embedding: Any) -> tuple[float, ...]:
    if isinstance(embedding, str):
        packed = base64.b64decode(embedding, validate=True)
        return struct.unpack(f"<{len(packed) // 4}f", packed)
    return tuple(float(number) for number in embedding)
