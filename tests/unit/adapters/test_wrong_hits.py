"""Answers that were told to be wrong."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from app.adapters.wrong_hits import ToldWrong
from app.domain.cache.entry import Question
from app.domain.cache.error_rate import Comparison
from app.domain.cache.measured import WrongHit
from app.domain.cache.outcome import CacheResult
from app.domain.explain.explanation import CachedRecord, Explanation
from app.domain.ledger.completion import Outcome
from app.errors import UnknownEntry
from tests.fakes.clock import FakeClock
from tests.fakes.entries import an_entry
from tests.fakes.measured_errors import FakeMeasuredErrors
from tests.fakes.remembered_answers import RememberedAnswers

FINGERPRINT = b"f" * 16


class Explanations:
    """Of requests by id, all of one tenant."""

    def __init__(self) -> None:
        self.known: dict[str, Explanation] = {}

    async def find(self, request_id: str, tenants: Iterable[str]) -> Explanation | None:
        found = self.known.get(request_id)
        return found if found is not None and found.tenant in set(tenants) else None


class Scene:
    """One answer is kept, and was given to `req_2`."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.answers = RememberedAnswers(self.clock)
        self.explanations = Explanations()
        self.evidence = FakeMeasuredErrors(self.clock)
        self.told = ToldWrong(self.answers, self.explanations, lambda: self.evidence)

    async def served(self, result: CacheResult = CacheResult.SEMANTIC) -> None:
        entry = an_entry(
            question=Question(FINGERPRINT), stored_at=self.clock.unix(), seconds=0.0, model="m"
        )
        await self.answers.keep("acme", entry, 600, None)
        record = CachedRecord(result, fingerprint=FINGERPRINT.hex(), distance=0.07)
        self.explanations.known["req_2"] = Explanation(
            "req_2", 0.0, 0.0, Outcome.FINISHED, "acme", model="m", cache=record
        )

    async def is_kept(self) -> bool:
        return await self.answers.find("acme", FINGERPRINT) is not None


@pytest.fixture
async def scene() -> Scene:
    made = Scene()
    await made.served()
    return made


async def test_a_wrong_hit_is_evicted_and_counted(scene: Scene) -> None:
    """At the distance at which it was served."""
    assert await scene.told.told_wrong("acme", request_id="req_2") == WrongHit(1, counted=True)
    assert not await scene.is_kept()
    assert scene.evidence.recorded == [("acme", "m", 0.07, Comparison.DIFFERENT)]


async def test_telling_again_counts_no_second_time(scene: Scene) -> None:
    """Two people may notice the same answer."""
    await scene.told.told_wrong("acme", request_id="req_2")
    assert await scene.told.told_wrong("acme", request_id="req_2") == WrongHit(0, counted=False)
    assert len(scene.evidence.recorded) == 1


async def test_an_exact_hit_is_evicted_alone(scene: Scene) -> None:
    """The same request was answered so: meaning had no part in it."""
    await scene.served(CacheResult.EXACT)
    assert await scene.told.told_wrong("acme", request_id="req_2") == WrongHit(1, counted=False)
    assert not scene.evidence.recorded


async def test_an_answer_is_told_of_by_its_fingerprint(scene: Scene) -> None:
    """How far away it was served is not known: it counts against every threshold."""
    told = await scene.told.told_wrong("acme", fingerprint=FINGERPRINT)
    assert told == WrongHit(1, counted=True)
    assert scene.evidence.recorded == [("acme", "m", 0.0, Comparison.DIFFERENT)]


async def test_what_nobody_knows(scene: Scene) -> None:
    """Another tenant's request, a request without a cache, an answer that is not kept, nothing."""
    scene.explanations.known["req_3"] = Explanation("req_3", 0.0, 0.0, Outcome.FINISHED, "acme")
    for tenant, named in (("rival", "req_2"), ("acme", "req_3"), ("acme", "req_4"), ("acme", "")):
        with pytest.raises(UnknownEntry):
            await scene.told.told_wrong(tenant, request_id=named)
    for tenant, print_ in (("rival", FINGERPRINT), ("acme", b"g" * 16)):
        with pytest.raises(UnknownEntry):
            await scene.told.told_wrong(tenant, fingerprint=print_)
    assert await scene.is_kept()
    assert not scene.evidence.recorded


async def test_without_meaning_there_is_nothing_to_count(scene: Scene) -> None:
    """It is evicted all the same."""
    told = ToldWrong(scene.answers, scene.explanations, lambda: None)
    assert await told.told_wrong("acme", request_id="req_2") == WrongHit(1, counted=False)
