"""Answers that somebody who knows tells were wrong: evicted, and counted against the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import structlog

from app.domain.cache.error_rate import Comparison
from app.domain.cache.kept import Selection
from app.domain.cache.measured import WrongHit
from app.domain.cache.outcome import CacheResult
from app.domain.explain.explanation import Explanation
from app.errors import StoreUnavailable, UnknownEntry
from app.ports import AnswerCache, HitEvidence, KeptAnswers


class Evidence(HitEvidence, Protocol):
    """Evidence that knows what it was told."""

    async def is_news(self, tenant: str, told: str) -> bool:
        """Whether nobody has told this before. Raises StoreUnavailable."""
        ...


class Answers(AnswerCache, KeptAnswers, Protocol):
    """Answers that can be found and evicted."""


class Explanations(Protocol):
    """What is known of requests, for a while."""

    async def find(self, request_id: str, tenants: Iterable[str]) -> Explanation | None:
        """The latest request with this id, of these tenants. Raises StoreUnavailable."""
        ...


class ToldWrong:
    """The port WrongHits."""

    def __init__(
        self,
        answers: Answers,
        explanations: Explanations,
        evidence: Callable[[], Evidence | None],
    ) -> None:
        """`evidence` gives None while nothing is answered by meaning."""
        self._answers = answers
        self._explanations = explanations
        self._evidence = evidence

    async def told_wrong(
        self, tenant: str, *, request_id: str = "", fingerprint: bytes = b""
    ) -> WrongHit:
        """Evict it, and count it once; an exact hit is nobody's misunderstanding.

        A hit whose distance is not known any more counts as one of prompts that are the same, so
        against every threshold. Raises UnknownEntry, StoreUnavailable.
        """
        if fingerprint:
            return await self._of_answer(tenant, fingerprint)
        found = await self._explanations.find(request_id, [tenant]) if request_id else None
        cache = found.cache if found is not None else None
        if found is None or cache is None or not cache.fingerprint:
            raise UnknownEntry("No answer from the cache is known by that id.")
        evicted = await self._evict(tenant, bytes.fromhex(cache.fingerprint))
        if cache.result is not CacheResult.SEMANTIC:
            return WrongHit(evicted, counted=False)
        told = f"request {request_id}"
        counted = await self._count(tenant, found.model or "", cache.distance or 0.0, told)
        return WrongHit(evicted, counted)

    async def _of_answer(self, tenant: str, fingerprint: bytes) -> WrongHit:
        entry = await self._answers.find(tenant, fingerprint)
        if entry is None:
            raise UnknownEntry("No answer is kept under that fingerprint.")
        evicted = await self._evict(tenant, fingerprint)
        told = f"answer {fingerprint.hex()} {entry.request_id}"
        return WrongHit(evicted, await self._count(tenant, entry.model, 0.0, told))

    async def _evict(self, tenant: str, fingerprint: bytes) -> int:
        return await self._answers.evict(tenant, Selection(fingerprint=fingerprint))

    async def _count(self, tenant: str, model: str, distance: float, told: str) -> bool:
        evidence = self._evidence()
        try:
            if evidence is None or not await evidence.is_news(tenant, told):
                return False
        except StoreUnavailable:
            # A full store lets go of the answer, and takes no note.
            structlog.get_logger().warning("false_hit_not_counted", tenant=tenant, model=model)
            return False
        evidence.record(tenant, model, distance, Comparison.DIFFERENT)
        return True
