"""Measured errors of the semantic cache in the admin API, and answers that are told to be wrong."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from app.api.admin.application import create_admin
from app.domain.cache.entry import Question
from app.domain.cache.error_rate import Comparison
from app.domain.cache.outcome import CacheResult
from app.domain.explain.explanation import CachedRecord, Explanation
from app.domain.ledger.completion import Outcome
from tests.fakes.admin import AdminHouse
from tests.fakes.changed import replace
from tests.fakes.entries import an_entry

DIGEST = b"q" * 16


async def compared(house: AdminHouse, tenant: str, wrong: int, right: int) -> None:
    for outcome, count in ((Comparison.DIFFERENT, wrong), (Comparison.SAME, right)):
        for _ in range(count):
            house.errors.record(tenant, "gpt-4o", 0.05, outcome)


@pytest.fixture
async def answered(house: AdminHouse) -> AdminHouse:
    """A request of `search` got the answer of another by meaning."""
    await house.kept.keep("search", an_entry(question=Question(DIGEST), seconds=0.0), 60.0, None)
    record = CachedRecord(
        CacheResult.SEMANTIC, fingerprint=DIGEST.hex(), source="req_before", distance=0.07
    )
    hit = Explanation("hit", 7.0, 0.5, Outcome.FINISHED, "search", model="gpt-4o", cache=record)
    house.explanations["hit"] = [hit]
    return house


async def test_errors_by_tenant_and_model(
    house: AdminHouse, owner: httpx2.AsyncClient, tenant_admin: httpx2.AsyncClient
) -> None:
    """With where the rate surely lies, and the threshold that it leaves."""
    await compared(house, "search", wrong=10, right=10)
    await compared(house, "other", wrong=0, right=5)
    other, search = (await owner.get("cache/errors")).json()["data"]
    assert (other["tenant"], other["rate"], other["threshold"]) == ("other", 0.0, 0.1)
    assert search.pop("low") < 0.5 < search.pop("high")
    assert search == {
        "tenant": "search",
        "model": "gpt-4o",
        "samples": 20,
        "false_hits": 10,
        "undecided": 0,
        "rate": 0.5,
        "threshold": 0.0,
        "widest": 0.1,
    }
    first = (await owner.get("cache/errors", params={"limit": 1})).json()
    assert ([each["tenant"] for each in first["data"]], first["next"]) == (["other"], "other")
    (own,) = (await tenant_admin.get("cache/errors")).json()["data"]
    assert own == (await tenant_admin.get("cache/search/errors")).json()["data"][0]
    assert own["tenant"] == "search"
    assert (await tenant_admin.get("cache/other/errors")).status_code == 404


async def test_nothing_is_measured_where_nothing_is_answered_by_meaning(
    house: AdminHouse,
) -> None:
    """An empty list, and no mistake."""
    services = house.services()
    app = create_admin(replace(services, cache=replace(services.cache, errors=lambda: None)))
    async with house.client(app=app) as owner:
        assert (await owner.get("cache/errors")).json() == {"data": [], "next": None}
        assert (await owner.get("cache/search/errors")).json() == {"data": []}


async def test_an_answer_that_was_wrong_is_evicted_and_counted(
    answered: AdminHouse, tenant_admin: httpx2.AsyncClient
) -> None:
    """Once, at the distance that it was found at; it is in the audit log who told."""
    for evicted, counted in ((1, True), (0, False)):
        answer = await tenant_admin.post("cache/search/wrong-hits", json={"request_id": "hit"})
        assert answer.json()["data"] == {
            "tenant": "search",
            "evicted": evicted,
            "counted": counted,
            "recorded": True,
        }
    assert answered.errors.recorded == [("search", "gpt-4o", 0.07, Comparison.DIFFERENT)]
    assert await answered.kept.find("search", DIGEST) is None
    assert [(each.kind, each.id) for each in answered.store.records] == [("cache", "search")] * 2


async def test_an_answer_is_told_wrong_by_its_fingerprint(
    answered: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """One that is not there is not found; another tenant's is not there."""
    body = {"fingerprint": DIGEST.hex()}
    assert (await owner.post("cache/other/wrong-hits", json=body)).status_code == 404
    assert await answered.kept.find("search", DIGEST) is not None
    assert (await owner.post("cache/search/wrong-hits", json=body)).json()["data"]["evicted"] == 1
    assert (await owner.post("cache/search/wrong-hits", json=body)).status_code == 404


@pytest.mark.parametrize(
    "body",
    [{}, {"request_id": "hit", "fingerprint": DIGEST.hex()}, {"fingerprint": "x"}, {"id": "hit"}],
)
async def test_what_names_no_answer_is_a_mistake(
    answered: AdminHouse, owner: httpx2.AsyncClient, body: dict[str, Any]
) -> None:
    """Nothing is evicted, counted or recorded."""
    answer = await owner.post("cache/search/wrong-hits", json=body)
    assert (answer.status_code, answered.errors.recorded, answered.store.records) == (400, [], [])
