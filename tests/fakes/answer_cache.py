"""Kept answers in memory, which can be away."""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.cache.entry import Entry, Neighbour
from app.errors import StoreUnavailable
from tests.fakes.clock import FakeClock
from tests.fakes.embedder import distance


class FakeAnswerCache:
    """What was kept, by tenant and fingerprint; `away` is how a lost store behaves."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.away = False
        self.kept: dict[tuple[str, bytes], tuple[Entry, float, bytes | None]] = {}
        self.asked = 0

    async def find(self, tenant: str, fingerprint: bytes) -> Entry | None:
        self._ask()
        entry, ends, _ = self.kept.get((tenant, fingerprint), (None, 0.0, None))
        return entry if self._clock.unix() < ends else None

    async def nearest(
        self, tenant: str, partition: bytes, vector: bytes, count: int
    ) -> Sequence[Neighbour]:
        self._ask()
        near = [
            Neighbour(
                tenant=of,
                partition=entry.question.partition,
                fingerprint=entry.question.fingerprint,
                prompt=entry.question.prompt,
                distance=distance(vector, its),
                stored_at=entry.stored_at,
            )
            for (of, _), (entry, ends, its) in self.kept.items()
            if its is not None
            and (of, entry.question.partition) == (tenant, partition)
            and self._clock.unix() < ends
        ]
        return sorted(near, key=lambda each: each.distance)[:count]

    async def keep(self, tenant: str, entry: Entry, ttl_s: float, vector: bytes | None) -> None:
        self._ask()
        ends = self._clock.unix() + ttl_s
        self.kept[tenant, entry.question.fingerprint] = (entry, ends, vector)

    def _ask(self) -> None:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("away")
