"""Both ports of the answer cache in memory, as whole as the real one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.domain.cache.entry import Entry, Neighbour, Question
from app.domain.cache.kept import KeptAnswer, KeptPage, KeptTotals, Selection, prompt_beginning
from app.errors import StoreUnavailable
from app.ports import Clock
from tests.fakes.changed import replace
from tests.fakes.embedder import distance, unpacked


@dataclass(frozen=True)
class _Kept:
    entry: Entry
    vector: bytes | None
    beginning: str
    ends: float

    @property
    def size(self) -> int:
        return len(self.entry.body)

    def listed(self) -> KeptAnswer:
        return KeptAnswer(
            fingerprint=self.entry.question.fingerprint,
            request_id=self.entry.request_id,
            model=self.entry.model,
            operation=self.entry.operation,
            stored_at=self.entry.stored_at,
            expires_at=self.ends,
            size=self.size,
            by_meaning=self.vector is not None,
            prompt=self.beginning,
        )


class RememberedAnswers:
    """What was kept, by tenant and fingerprint, those that end first in front."""

    def __init__(
        self,
        clock: Clock,
        *,
        dimensions: int = 4,
        answers: int = 1000,
        size: int = 1 << 30,
        entry_size: int = 1 << 20,
    ) -> None:
        """`answers` and `size` are what a tenant may have; vectors have `dimensions` numbers."""
        self._clock = clock
        self._dimensions = dimensions
        self._most = (answers, size)
        self._entry_size = entry_size
        self._kept: dict[str, dict[bytes, _Kept]] = {}
        self._evicted: dict[str, float] = {}
        self.away = False

    async def find(self, tenant: str, fingerprint: bytes) -> Entry | None:
        _must_be(tenant, fingerprint)
        found = self._of(tenant).get(fingerprint)
        return found.entry if found else None

    async def nearest(
        self, tenant: str, partition: bytes, vector: bytes, count: int
    ) -> Sequence[Neighbour]:
        _must_be(tenant, partition)
        if not self._fits(vector):
            return ()
        near = [
            Neighbour(
                tenant=tenant,
                partition=partition,
                fingerprint=fingerprint,
                prompt=each.entry.question.prompt,
                distance=distance(vector, each.vector),
                stored_at=each.entry.stored_at,
            )
            for fingerprint, each in self._of(tenant).items()
            if each.vector is not None and each.entry.question.partition == partition
        ]
        return sorted(near, key=lambda each: each.distance)[:count]

    async def keep(self, tenant: str, entry: Entry, ttl_s: float, vector: bytes | None) -> None:
        question = entry.question
        _must_be(tenant, question.fingerprint)
        began = self._clock.now() - entry.seconds
        if len(entry.body) > self._entry_size or self._evicted.get(tenant, -1e9) >= began:
            return
        if vector is None or not question.partition or not self._fits(vector):
            vector = None
            entry = replace(entry, question=Question(question.fingerprint, reason=question.reason))
        kept = self._of(tenant)
        kept.pop(question.fingerprint, None)
        ends = self._clock.unix() + ttl_s
        kept[question.fingerprint] = _Kept(entry, vector, prompt_beginning(question), ends)
        in_order = sorted(kept.items(), key=lambda item: item[1].ends)
        while len(in_order) > self._most[0] or _sizes(in_order) > self._most[1]:
            del in_order[0]
        self._kept[tenant] = dict(in_order)

    async def settled(self) -> None:
        """Everything is kept at once."""

    async def evict(self, tenant: str, selection: Selection) -> int:
        self._must_be_there()
        kept = self._of(tenant)
        self._evicted[tenant] = self._clock.now()
        self._kept[tenant] = {at: each for at, each in kept.items() if not _has(selection, each)}
        return len(kept) - len(self._kept[tenant])

    async def entries(self, tenant: str, cursor: str, limit: int) -> KeptPage:
        self._must_be_there()
        if cursor and not (cursor.isascii() and cursor.isdigit()):
            raise ValueError("cursor: is no page's")
        start = int(cursor or 0)
        listed = [each.listed() for each in reversed(self._of(tenant).values())]
        page = tuple(listed[start : start + limit])
        return KeptPage(page, str(start + limit) if start + limit < len(listed) else "")

    async def totals(self, tenant: str) -> KeptTotals:
        self._must_be_there()
        kept = self._of(tenant)
        return KeptTotals(len(kept), _sizes(kept.items()))

    def _of(self, tenant: str) -> dict[bytes, _Kept]:
        """What has not ended."""
        now = self._clock.unix()
        kept = {at: each for at, each in self._kept.get(tenant, {}).items() if each.ends > now}
        self._kept[tenant] = kept
        return kept

    def _must_be_there(self) -> None:
        """Of what is done for those who look after the cache."""
        if self.away:
            raise StoreUnavailable("The gateway's store does not answer.")

    def _fits(self, vector: bytes) -> bool:
        if len(vector) != 4 * self._dimensions:
            return False
        return abs(sum(number * number for number in unpacked(vector)) - 1) < 0.02


def _must_be(tenant: str, digest: bytes) -> None:
    if not tenant or not digest:
        raise ValueError("nothing is looked for everywhere")


def _has(selection: Selection, kept: _Kept) -> bool:
    return selection.has(kept.listed())


def _sizes(items: Iterable[tuple[bytes, _Kept]]) -> int:
    return sum(each.size for _, each in items)
