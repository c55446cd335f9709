"""Explanations in the admin API: typed, in sentences, and of one's own tenant alone."""

from __future__ import annotations

import httpx2
import msgspec
import pytest

from app.domain.capacity.spill import SpillReason
from app.domain.explain.explanation import (
    AttemptRecord,
    CandidateRecord,
    Explanation,
    LimitRecord,
    LoadRecord,
    ReservedRecord,
    SettledRecord,
    SkipRecord,
)
from app.domain.ledger.completion import Outcome
from app.domain.quota.limit import LimitName
from app.domain.routing.attempt import Verdict
from app.domain.routing.deployment import Kind
from tests.fakes.admin import AdminHouse

SPILLED = Explanation(
    request_id="req-1",
    at=1_790_000_000.0,
    duration_s=0.84,
    outcome=Outcome.FINISHED,
    tenant="search",
    spill=SpillReason.PREDICTED,
    status=200,
    model="gpt-4o",
    deployment="paygo",
    deployment_kind=Kind.PAYGO,
    load=LoadRecord(100, 20),
    candidates=(CandidateRecord("paygo", 1, 0.25, 3.0, 1.5, is_warm=True),),
    skipped=(SkipRecord("ptu", 0, SpillReason.PREDICTED, 2.34, 1.006),),
    attempts=(AttemptRecord("paygo", 1, Verdict.ACCEPT, 0.001, 0.4, Kind.PAYGO, 200),),
    reserved=ReservedRecord(1, 120, 9_000, (LimitRecord(LimitName.TPM, "tenant", 1000, 880),)),
    settled=SettledRecord(input=100, output=7, nano_usd=3_200),
)


async def test_a_request_is_explained_with_its_sentences(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """All of the record, and why to each part of it."""
    house.explanations["req-1"] = [SPILLED]
    shown = (await owner.get("explain/req-1")).json()["data"]
    assert shown.pop("why") == [
        "The answer arrived whole (200) after 840 ms.",
        "It was served by paygo (paygo), the first asked.",
        "It spilled (predicted): it would not have fitted into ptu.",
        "Reserved were 120 tokens and up to $0.000009.",
        "Charged were 100 input and 7 output tokens, $0.000003.",
    ]
    (skip,), (attempt,), (candidate,) = shown["skipped"], shown["attempts"], shown["candidates"]
    assert skip.pop("why") == "ptu had no room for 2.3 s (predicted, 101 % full)"
    assert attempt.pop("why") == "paygo gave the answer (200) after 400 ms"
    assert candidate.pop("why") == "paygo was in tier 2, predicted 25 % full, and was asked"
    whole = {name: getattr(SPILLED, name) for name in Explanation.__struct_fields__}
    assert shown.keys() == whole.keys()
    assert msgspec.convert(shown, Explanation) == SPILLED


async def test_a_tenant_admin_is_told_of_its_own_tenant_alone(
    house: AdminHouse, owner: httpx2.AsyncClient, tenant_admin: httpx2.AsyncClient
) -> None:
    """Another's request is not there, whoever chose the same id first."""
    assert (await tenant_admin.get("explain/req-search")).status_code == 200
    assert (await tenant_admin.get("explain/req-other")).status_code == 404
    other = msgspec.structs.replace(SPILLED, tenant="other", at=SPILLED.at + 1)
    house.explanations["req-1"] = [SPILLED, other]
    for client, tenant in ((tenant_admin, "search"), (owner, "other")):
        assert (await client.get("explain/req-1")).json()["data"]["tenant"] == tenant
    named = await owner.get("explain/req-1", params={"tenant": "search"})
    assert named.json()["data"]["tenant"] == "search"
    assert (await tenant_admin.get("explain/req-1?tenant=other")).status_code == 404


@pytest.mark.parametrize("path", ["explain/req-9", "explain/req-search?tenant=nobody"])
async def test_what_is_not_kept_is_not_there(owner: httpx2.AsyncClient, path: str) -> None:
    """And it is said why that may be."""
    answer = await owner.get(path)
    assert answer.status_code == 404
    assert "There is no" in answer.json()["error"]["message"]
