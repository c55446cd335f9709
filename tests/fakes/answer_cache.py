"""The remembering cache, for tests of the stage: it can be away, and looked into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.domain.cache.entry import Entry, Neighbour
from app.errors import StoreUnavailable
from tests.fakes.clock import FakeClock
from tests.fakes.remembered_answers import RememberedAnswers


class FakeAnswerCache(RememberedAnswers):
    """`asked` counts calls; while it is `away` every call fails."""

    def __init__(self, clock: FakeClock, *, dimensions: int = 16) -> None:
        super().__init__(clock, dimensions=dimensions)
        self.asked = 0

    @property
    def kept(self) -> Mapping[tuple[str, bytes], tuple[Entry, float, bytes | None]]:
        """By tenant and fingerprint: the answer, when it ends in Unix time, and its vector."""
        return {
            (tenant, fingerprint): (each.entry, each.ends, each.vector)
            for tenant, kept in self._kept.items()
            for fingerprint, each in kept.items()
        }

    async def find(self, tenant: str, fingerprint: bytes) -> Entry | None:
        self._ask()
        return await super().find(tenant, fingerprint)

    async def nearest(
        self, tenant: str, partition: bytes, vector: bytes, count: int
    ) -> Sequence[Neighbour]:
        self._ask()
        return await super().nearest(tenant, partition, vector, count)

    async def keep(self, tenant: str, entry: Entry, ttl_s: float, vector: bytes | None) -> None:
        self._ask()
        await super().keep(tenant, entry, ttl_s, vector)

    def _ask(self) -> None:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("away")
