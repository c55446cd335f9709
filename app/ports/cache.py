"""The answer cache: what is kept, found by meaning, and how often that was wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from app.domain.cache.entry import Entry, Neighbour
from app.domain.cache.error_rate import Comparison
from app.domain.cache.kept import KeptPage, KeptTotals, Selection
from app.domain.cache.measured import MeasuredError, WrongHit


class AnswerCache(Protocol):
    """Answers that are kept, by tenant; shared by all replicas.

    Every call is bounded in time and raises StoreUnavailable where the store is out of reach.
    ValueError is for an empty tenant, fingerprint or partition: nothing is ever looked for
    everywhere.
    """

    async def find(self, tenant: str, fingerprint: bytes) -> Entry | None:
        """The answer to this very request; what was damaged or evicted is none."""
        ...

    async def nearest(
        self, tenant: str, partition: bytes, vector: bytes, count: int
    ) -> Sequence[Neighbour]:
        """Answers to what means nearly the same, nearest first; `vector` is little-endian f32.

        Empty where nothing can be found by meaning, for want of an index or of a fit vector.
        """
        ...

    async def keep(self, tenant: str, entry: Entry, ttl_s: float, vector: bytes | None) -> None:
        """Have an answer kept for `ttl_s` seconds; nobody waits for it, and it may be lost.

        With a vector it can also be found by meaning. Without one its question is kept without
        partition and prompt. It is not kept if the tenant's answers were evicted since the request
        began, which is the entry's `seconds` ago.
        """
        ...


class KeptAnswers(Protocol):
    """What an AnswerCache has, for those who look after it. All raise StoreUnavailable."""

    async def evict(self, tenant: str, selection: Selection) -> int:
        """Have answers served no more, on any replica; how many there were.

        When it returns they are gone, also those whose keeping was under way. When it raises, some
        may be left.
        """
        ...

    async def entries(self, tenant: str, cursor: str, limit: int) -> KeptPage:
        """Up to `limit` of them, those that end last first. The empty cursor is the beginning.

        Raises ValueError for a cursor that is no page's.
        """
        ...

    async def totals(self, tenant: str) -> KeptTotals:
        """How many there are, and how large."""
        ...


class HitEvidence(Protocol):
    """What comparisons of kept answers with fresh ones came to; shared by all replicas.

    Nothing waits, and nothing raises: what is known is what was known last.
    """

    def threshold(self, tenant: str, model: str) -> float:
        """The largest cosine distance at which an answer by meaning may be served; 0: none."""
        ...

    def record(self, tenant: str, model: str, distance: float, comparison: Comparison) -> None:
        """Count one comparison, of answers whose prompts are so far apart."""
        ...


class MeasuredErrors(Protocol):
    """The same for those who look after the cache."""

    async def listed(self, tenant: str) -> Sequence[MeasuredError]:
        """Of each model of which anything was compared within the last 30 days, by name.

        As of the last look while the store is away; raises StoreUnavailable where there was none.
        """
        ...


class WrongHits(Protocol):
    """Where somebody who knows tells of an answer that was wrong."""

    async def told_wrong(
        self, tenant: str, *, request_id: str = "", fingerprint: bytes = b""
    ) -> WrongHit:
        """Have the answer served no more, and count it as a false hit, once.

        Named is the request that was answered wrongly, or the answer's own fingerprint. Raises
        UnknownEntry where neither names anything, StoreUnavailable.
        """
        ...


class Embedder(Protocol):
    """Text as a point: near to what means the same."""

    @property
    def name(self) -> str:
        """Which one it is: lower case letters, digits, `-`; part of the index's name."""
        ...

    @property
    def dimensions(self) -> int:
        """Numbers in a vector."""
        ...

    async def embed(self, text: str, tenant: str) -> bytes:
        """The vector, of length 1, as little-endian f32.

        `tenant` is whose text it is: only for it may the vector be remembered, and only where its
        data may be processed may the text go.

        Raises EmbedderUnavailable, also where it would take too long.
        """
        ...
