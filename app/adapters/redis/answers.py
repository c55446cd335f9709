"""Answers that are kept in Redis: found by what was asked, or by what it means; evicted at once.

An answer is one hash, which both ways lead to, so that removing it removes it from both. Whatever
is found is checked again: whose it is, what it answers, and that it is whole.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from app.adapters.redis.answers_encoding import (
    BLOCKING_BYTES,
    Damaged,
    Meta,
    meta_of,
    tag_of,
    whole,
)
from app.adapters.redis.answers_keeping import Bounds, Fate, Keeping, Queue, Waiting, keeping
from app.adapters.redis.answers_memory import watching_memory
from app.adapters.redis.answers_script import AT_ONCE, AnswersScript, Listed, Room, key_of
from app.adapters.redis.batch import Refused
from app.adapters.redis.store import Place, Store, opened_store
from app.domain.cache.entry import Entry, Neighbour
from app.domain.cache.kept import KeptAnswer, KeptPage, KeptTotals, Selection
from app.ports import Clock

if TYPE_CHECKING:  # it takes redisvl along, which is for those who search
    from app.adapters.redis.semantic_index import Near, SemanticIndex, Space

_BEGINNING: Final = "+inf"
_MOST_MARKS: Final = 10_000


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """What a round trip may take, in seconds, and what answers may, in bytes and numbers."""

    lookup_s: float = 0.05
    search_s: float = 0.2
    work_s: float = 1.0  # of what no request waits for
    entry_size: int = 1024 * 1024  # of a body
    #: Of each tenant.
    room: Room = field(default_factory=lambda: Room(answers=100_000, size=1024 * 1024 * 1024))
    queue: Queue = field(default_factory=Queue)


class RedisAnswers:
    """Both ports of the cache, AnswerCache and KeptAnswers; open within `kept_answers`."""

    def __init__(
        self,
        lookups: AnswersScript,
        upkeep: AnswersScript,
        keeper: Keeping,
        *,
        clock: Clock,
        entry_size: int,
    ) -> None:
        """`lookups` are what requests wait for, `upkeep` is the rest; `indexed` adds meaning."""
        self._lookups = lookups
        self._upkeep = upkeep
        self._keeping = keeper
        self._index: SemanticIndex | None = None
        self._clock = clock
        self._entry_size = entry_size
        self._evictions: dict[str, object] = {}
        self.damaged_total = 0

    @property
    def fates(self) -> Counter[Fate]:
        """What became of answers that were to be kept."""
        return self._keeping.counts

    @property
    def index(self) -> SemanticIndex | None:
        """The index by meaning, which tells why it is off where it is."""
        return self._index

    @contextmanager
    def indexed(self, index: SemanticIndex) -> Iterator[None]:
        """Find by meaning, too, within the scope; what was kept before it is not found so."""
        self._index = index
        try:
            yield
        finally:
            self._index = None

    async def find(self, tenant: str, fingerprint: bytes) -> Entry | None:
        """The answer to this very request. Raises StoreUnavailable, ValueError."""
        tag, hexed = tag_of(tenant), _hexed(fingerprint)
        try:
            found = await self._lookups.find(tag, hexed)
            if found is None:
                return None
            meta, body = found
            return await _whole(meta_of(tag, meta or b"", hexed), body or b"")
        except (Damaged, Refused):
            self.damaged_total += 1
            return None

    async def nearest(
        self, tenant: str, partition: bytes, vector: bytes, count: int
    ) -> Sequence[Neighbour]:
        """Answers to what means nearly the same. Raises StoreUnavailable, ValueError."""
        tag, within = tag_of(tenant), _hexed(partition)
        if self._index is None:
            return ()
        near = await self._index.search(tag, within, vector, count)
        return [found for each in near if (found := self._checked(tenant, partition, each))]

    async def keep(self, tenant: str, entry: Entry, ttl_s: float, vector: bytes | None) -> None:
        """Have an answer kept in the background. Raises ValueError."""
        tag = tag_of(tenant)
        _ = _hexed(entry.question.fingerprint)
        if len(entry.body) > self._entry_size:
            self.fates[Fate.TOO_LARGE] += 1
            return
        findable: dict[str, bytes | str] = {}
        if vector is not None and self._index is not None:
            findable = self._index.fields(tag, entry.question.partition, vector)
        began = self._clock.now() - entry.seconds
        self._keeping.add(Waiting(tag, entry, began, ttl_s, findable))

    async def settled(self) -> None:
        """Return once nothing waits to be kept any more."""
        await self._keeping.settled()

    async def evict(self, tenant: str, selection: Selection) -> int:
        """Have answers served no more; how many there were. Raises StoreUnavailable."""
        try:
            return await self._evict(tenant, selection)
        finally:
            if len(self._evictions) >= _MOST_MARKS:
                self._evictions.clear()
            self._evictions[tenant] = object()

    def last_eviction(self, tenant: str) -> object:
        """Another object after an eviction by this process, whether it is on record or not."""
        return self._evictions.get(tenant)

    async def _evict(self, tenant: str, selection: Selection) -> int:
        tag = tag_of(tenant)
        if selection.is_all:
            count, trash = await self._upkeep.clear(tag)
            while await self._upkeep.sweep(tag, trash):
                pass
            return count
        if selection.fingerprint is not None and selection == Selection(selection.fingerprint):
            return await self._upkeep.evict(tag, [selection.fingerprint.hex()])
        return await self._evict_each(tag, selection)

    async def entries(self, tenant: str, cursor: str, limit: int) -> KeptPage:
        """A page of them. Raises StoreUnavailable; ValueError for what is no page's cursor."""
        if cursor and not (cursor.isascii() and cursor.isdigit()):
            msg = "cursor: is no page's"
            raise ValueError(msg)
        tag = tag_of(tenant)
        most = max(1, min(limit, AT_ONCE))
        listed = await self._upkeep.list_before(tag, cursor or _BEGINNING, most)
        answers = tuple(answer for each in listed if (answer := self._listed(tag, each)))
        return KeptPage(answers, listed[-1].ends if len(listed) == most else "")

    async def totals(self, tenant: str) -> KeptTotals:
        """How many there are, and how large. Raises StoreUnavailable."""
        answers, size = await self._upkeep.totals(tag_of(tenant))
        return KeptTotals(answers, size)

    async def _evict_each(self, tag: str, selection: Selection) -> int:
        """What is kept from now on was asked for afterwards: one pass sees all that there were."""
        await self._upkeep.evict(tag, [])
        gone, before = 0, _BEGINNING
        while listed := await self._upkeep.list_before(tag, before, AT_ONCE):
            before = listed[-1].ends
            chosen = [each.fingerprint for each in listed if self._selects(selection, tag, each)]
            if chosen:
                gone += await self._upkeep.evict(tag, chosen)
        return gone

    def _selects(self, selection: Selection, tag: str, each: Listed) -> bool:
        answer = self._listed(tag, each)
        return answer is not None and selection.has(answer)

    def _listed(self, tag: str, each: Listed) -> KeptAnswer | None:
        if not each.meta:
            return None  # thrown away by a server that wants memory, or ended just now
        meta = self._meta(tag, each.meta, each.fingerprint)
        return meta.listed(each.expires_at, each.size) if meta is not None else None

    def _checked(self, tenant: str, partition: bytes, near: Near) -> Neighbour | None:
        """The index is not believed: whose it is, and where, is in what is kept."""
        tag = tag_of(tenant)
        meta = self._meta(tag, near.meta)
        if meta is None:
            return None
        question = meta.entry.question
        is_in_place = near.key == key_of(tag, question.fingerprint.hex())
        if question.partition != partition or not meta.by_meaning or not is_in_place:
            self.damaged_total += 1
            return None
        return Neighbour(
            tenant=tenant,
            partition=question.partition,
            fingerprint=question.fingerprint,
            prompt=question.prompt,
            distance=near.distance,
            stored_at=meta.entry.stored_at,
        )

    def _meta(self, tag: str, meta: bytes, fingerprint: str | None = None) -> Meta | None:
        try:
            return meta_of(tag, meta, fingerprint)
        except Damaged:
            self.damaged_total += 1
            return None


@asynccontextmanager
async def kept_answers(
    place: Place,
    clock: Clock,
    *,
    limits: AnswerLimits | None = None,
    space: Space | None = None,
) -> AsyncIterator[RedisAnswers]:
    """The cache in the Redis at `place`, which need not answer yet, nor always.

    Looks, searches, keeping and upkeep have ways of their own: a long search or a large answer
    delays no look, and a full server, which keeps nothing more, still answers and evicts. Without
    `space` nothing is found by meaning.
    """
    limits = limits or AnswerLimits()
    async with AsyncExitStack() as opened:
        enter = opened.enter_async_context

        async def way(name: str, patience_s: float) -> Store:
            bounded = replace(place, patience_s=patience_s)
            return await enter(opened_store(bounded, clock, f"redis: {name}"))

        lookups = AnswersScript((await way("cache", limits.lookup_s)).batch)
        upkeep = await way("cache, upkeep", limits.work_s)
        memory = await enter(watching_memory(upkeep.servers))
        script = AnswersScript((await way("cache, keeping", limits.work_s)).batch)
        bounds = Bounds(limits.room, limits.queue, lambda: memory.is_full)
        keeper = await enter(keeping(script, clock, bounds))
        answers = RedisAnswers(
            lookups,
            AnswersScript(upkeep.batch),
            keeper,
            clock=clock,
            entry_size=limits.entry_size,
        )
        if space is not None:
            bounded = replace(place, patience_s=limits.search_s)
            await enter(found_by_meaning(answers, bounded, clock, space))
        yield answers


@asynccontextmanager
async def found_by_meaning(
    answers: RedisAnswers, place: Place, clock: Clock, space: Space
) -> AsyncIterator[None]:
    """Have them found by meaning, too, as long as the scope is open.

    `place` is where they are, its patience that of a search.
    """
    # 3 MB of redisvl, only where anything is found by meaning.
    from app.adapters.redis.semantic_index import indexing  # noqa: PLC0415

    async with (
        opened_store(place, clock, "redis: cache, by meaning") as searches,
        indexing(searches.batch, place, space) as index,
    ):
        with answers.indexed(index):
            yield


async def _whole(meta: Meta, body: bytes) -> Entry:
    """Unpacked, in a thread where it takes long. Raises Damaged."""
    if max(meta.length, len(body)) < BLOCKING_BYTES:
        return whole(meta, body)
    return await asyncio.to_thread(whole, meta, body)


def _hexed(digest: bytes) -> str:
    """Raises ValueError for none: nothing is looked for everywhere."""
    if not digest:
        msg = "fingerprint or partition: is empty"
        raise ValueError(msg)
    return digest.hex()
