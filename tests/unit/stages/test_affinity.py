"""Stored responses stay with their deployment and their tenant."""

from __future__ import annotations

import pytest

from app.domain.request import InferenceRequest
from app.domain.tenant import Principal, Tenant
from app.errors import StoreUnavailable, UnknownPreviousResponse, UnknownResponse
from app.stages.affinity import Affinity
from app.wire.routes import match
from tests.fakes.owners import FakeResponseOwners

ACME = Principal(Tenant("acme"), "k1")
RIVAL = Principal(Tenant("rival"), "k2")


@pytest.fixture
def owners() -> FakeResponseOwners:
    return FakeResponseOwners()


@pytest.fixture
def affinity(owners: FakeResponseOwners) -> Affinity:
    return Affinity(owners)


def reading(response_id: str) -> InferenceRequest:
    return InferenceRequest(match("GET", f"/v1/responses/{response_id}", ""), "", b"")


def continuing(response_id: str | None) -> InferenceRequest:
    route = match("POST", "/v1/responses", "")
    return InferenceRequest(route, "m", b"{}", previous_response_id=response_id)


async def test_a_claimed_response_is_found_by_both_kinds_of_request(affinity: Affinity) -> None:
    """Reading it and continuing it go to the deployment that made it."""
    await affinity.claim(ACME, "resp_1", "paygo")
    assert await affinity.owner(ACME, reading("resp_1")) == "paygo"
    assert await affinity.owner(ACME, continuing("resp_1")) == "paygo"


async def test_a_request_without_an_id_may_go_anywhere(
    affinity: Affinity, owners: FakeResponseOwners
) -> None:
    """Nothing is looked up: such requests do not depend on the store."""
    owners.lost = True
    assert await affinity.owner(ACME, continuing(None)) is None


async def test_another_tenants_response_does_not_exist(affinity: Affinity) -> None:
    """Neither its content nor its existence is told."""
    await affinity.claim(ACME, "resp_1", "paygo")
    with pytest.raises(UnknownResponse) as theirs:
        await affinity.owner(RIVAL, reading("resp_1"))
    with pytest.raises(UnknownResponse) as nobodys:
        await affinity.owner(RIVAL, reading("resp_2"))
    assert theirs.value.message.replace("resp_1", "resp_2") == nobodys.value.message


async def test_an_unknown_previous_response_names_the_field(affinity: Affinity) -> None:
    """As OpenAI does: a 400 for the field, not a 404 for the URL."""
    with pytest.raises(UnknownPreviousResponse) as caught:
        await affinity.owner(ACME, continuing("resp_1"))
    assert caught.value.param == "previous_response_id"


async def test_a_lost_store_is_no_guess(affinity: Affinity, owners: FakeResponseOwners) -> None:
    """Asking another deployment would be a 404 that is not true."""
    owners.lost = True
    with pytest.raises(StoreUnavailable):
        await affinity.owner(ACME, reading("resp_1"))


async def test_answers_without_an_id_are_not_claimed(
    affinity: Affinity, owners: FakeResponseOwners
) -> None:
    """Most answers are not stored."""
    await affinity.claim(ACME, None, "paygo")
    assert owners.claims == {}
