"""Embedders whose vectors are known, that can be frozen and made to fail.

    FakeEmbedder({"cats": (1, 0), "kittens": (0.99, 0.14)})

A text that is not in the table has a vector of its own, far from all others.
"""

from __future__ import annotations

import asyncio
import math
import struct
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import shake_128

import pytest

from app.adapters.embedder.local import Encoder, load, missing
from app.adapters.embedder.trouble import Trouble
from app.errors import EmbedderUnavailable

Table = Mapping[str, Sequence[float]]
#: What is read of a text.
MAX_CHARS = 4000


def packed(numbers: Sequence[float], dimensions: int) -> bytes:
    """A vector of length 1, the numbers that are not given being 0, as little-endian f32."""
    whole = [*numbers, *([0.0] * (dimensions - len(numbers)))]
    length = math.hypot(*whole)
    return struct.pack(f"<{dimensions}f", *(number / length for number in whole))


def at_angle(radians: float) -> Sequence[float]:
    """A point of a circle: two of them are 1 - cos of what is between them apart."""
    return math.cos(radians), math.sin(radians)


def unpacked(vector: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(vector) // 4}f", vector)


def distance(one: bytes, other: bytes) -> float:
    """The cosine distance of two vectors of length 1."""
    return 1 - sum(a * b for a, b in zip(unpacked(one), unpacked(other), strict=True))


def vector_in(table: Table, text: str, dimensions: int) -> bytes:
    """As the table has it; else as the text's digest has it."""
    if text in table:
        return packed(table[text], dimensions)
    digest = shake_128(text.encode("utf-8", "surrogatepass")).digest(dimensions)
    return packed([byte - 127.5 for byte in digest], dimensions)


@cache
def real_encoder(name: str) -> Encoder:
    """A model of `local.MODELS`, loaded once; skips a test whose package is not here."""
    if reason := missing(name):
        pytest.skip(reason)
    return load(name)


class FakeEmbedder:
    """The port; `asked` has every text that it was given."""

    def __init__(
        self,
        table: Table | None = None,
        *,
        name: str = "fake",
        dimensions: int = 16,
        patience_s: float = 0.05,
    ) -> None:
        self.name = name
        self.dimensions = dimensions
        self.asked: list[str] = []
        self.fails = False
        self.troubles_total: Counter[Trouble] = Counter()
        self._table: Table = {} if table is None else table
        self._patience_s = patience_s
        self._thawed = asyncio.Event()
        self._thawed.set()

    def freeze(self) -> None:
        """Have calls wait until their patience is over."""
        self._thawed.clear()

    def thaw(self) -> None:
        self._thawed.set()

    @property
    def is_well(self) -> bool:
        """Whether it was not told to fail."""
        return not self.fails

    async def embed(self, text: str, tenant: str = "") -> bytes:
        self.asked.append(text)
        if self.fails:
            raise EmbedderUnavailable("The embedder was told to fail.")
        try:
            async with asyncio.timeout(self._patience_s):
                await self._thawed.wait()
        except TimeoutError:
            raise EmbedderUnavailable("The embedder was told to freeze.") from None
        return vector_in(self._table, text[:MAX_CHARS], self.dimensions)


class FakeEncoder:
    """A model for a thread, with another's vectors or its own; `batches` has what it was given."""

    def __init__(
        self, table: Table | None = None, *, dimensions: int = 512, of: Encoder | None = None
    ) -> None:
        """`of` is whose vectors are given instead."""
        self.dimensions = dimensions if of is None else of.dimensions
        self.batches: list[list[str]] = []
        self.threads: set[int] = set()
        self.poison = ""
        self.began = threading.Event()
        self._of = of
        self._table = table or {}
        self._thawed = threading.Event()
        self._thawed.set()

    def freeze(self) -> None:
        """Have `encode` not come back; `began` is set when it is stuck."""
        self.began.clear()
        self._thawed.clear()

    def thaw(self) -> None:
        self._thawed.set()

    def encode(self, texts: Sequence[str]) -> list[bytes]:
        self.batches.append(list(texts))
        self.threads.add(threading.get_ident())
        self.began.set()
        self._thawed.wait()
        if self.poison and self.poison in texts:
            raise ValueError("cannot read " + self.poison)
        if self._of is not None:
            return self._of.encode(texts)
        return [vector_in(self._table, text, self.dimensions) for text in texts]
