"""Vectors of texts that were seen lately, so that they are not computed or bought again."""

from __future__ import annotations

from collections import Counter, OrderedDict
from hashlib import blake2b
from typing import Final, Protocol

from app.adapters.embedder.trouble import Trouble

#: Of 512 numbers each, 8 MB.
MOST_KEPT: Final = 4096
_DIGEST_BYTES: Final = 16


class TenantEmbedder(Protocol):
    """An embedder that is told for whom it works.

    `troubles_total` counts by reason the calls that got no vector, `is_well` says whether a call
    made now may get one.
    """

    @property
    def troubles_total(self) -> Counter[Trouble]: ...

    @property
    def is_well(self) -> bool: ...

    @property
    def name(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    async def embed(self, text: str, tenant: str = "") -> bytes:
        """As `Embedder.embed`; without a tenant nothing is remembered."""
        ...


class RememberingEmbedder:
    """Another embedder, and by tenant what it said; the least recently used is forgotten first.

    By tenant, because how long an answer takes tells whether its text was seen before.
    """

    def __init__(self, embedder: TenantEmbedder, *, most_kept: int = MOST_KEPT) -> None:
        """`most_kept` vectors are kept; of their texts, digests alone."""
        self.name = embedder.name
        self.dimensions = embedder.dimensions
        self.remembered_total = 0
        self._embedder = embedder
        self._most_kept = most_kept
        self._vectors: OrderedDict[bytes, bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._vectors)

    @property
    def troubles_total(self) -> Counter[Trouble]:
        """Of the embedder behind it."""
        return self._embedder.troubles_total

    @property
    def is_well(self) -> bool:
        """Whether the embedder behind it is."""
        return self._embedder.is_well

    async def embed(self, text: str, tenant: str = "") -> bytes:
        """The vector, of length 1, as little-endian f32. Raises EmbedderUnavailable."""
        if not tenant:
            return await self._embedder.embed(text)
        key = _key(tenant, text)
        known = self._vectors.get(key)
        if known is not None:
            self._vectors.move_to_end(key)
            self.remembered_total += 1
            return known
        vector = await self._embedder.embed(text, tenant)
        self._vectors[key] = vector
        self._vectors.move_to_end(key)
        if len(self._vectors) > self._most_kept:
            self._vectors.popitem(last=False)
        return vector


def _key(tenant: str, text: str) -> bytes:
    # Each has a digest of its own length, so that nobody's text can stand for a tenant's name.
    named = blake2b(tenant.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()
    read = text.encode("utf-8", "surrogatepass")
    return blake2b(named + read, digest_size=_DIGEST_BYTES).digest()
