"""Stored responses stay with their deployment and their tenant."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs

from app.answer import Answer
from app.domain.call.request import InferenceRequest
from app.domain.identity.tenant import Principal, Tenant
from app.errors import StoreUnavailable, UnknownPreviousResponse, UnknownResponse
from app.stages.ownership import Ownership
from app.wire.routes import match
from tests.fakes.clock import FakeClock
from tests.fakes.house import deployment
from tests.fakes.owners import FakeResponseOwners
from tests.fakes.upstream import Act, ScriptedResponse

ACME = Principal(Tenant("acme"), "k1")
RIVAL = Principal(Tenant("rival"), "k2")


@pytest.fixture
def owners() -> FakeResponseOwners:
    return FakeResponseOwners()


@pytest.fixture
def ownership(owners: FakeResponseOwners) -> Ownership:
    return Ownership(owners)


def reading(response_id: str) -> InferenceRequest:
    return InferenceRequest(match("GET", f"/v1/responses/{response_id}", ""), "", b"")


def made(response_id: str | None, deployment_name: str, *items: str, **known: Any) -> Answer:
    """A whole answer whose output has these items."""
    output = [{"id": item, "type": "reasoning"} for item in items]
    body = json.dumps({"id": response_id, "output": output}).encode()
    request = known.pop("request", None) or continuing(None)
    given: dict[str, Any] = {"status": 200, "headers": {}, "head": body}
    given |= {"response_id": response_id} | known
    return Answer(deployment(deployment_name), request, **given)


def taking_up(*ids: str) -> InferenceRequest:
    return structs.replace(continuing(None), references=ids)


def continuing(response_id: str | None) -> InferenceRequest:
    route = match("POST", "/v1/responses", "")
    return InferenceRequest(route, "m", b"{}", previous_response_id=response_id)


async def test_a_claimed_response_is_found_by_both_kinds_of_request(ownership: Ownership) -> None:
    """Reading it and continuing it go to the deployment that made it."""
    await ownership.claim(ACME, made("resp_1", "paygo"))
    assert await ownership.owner(ACME, reading("resp_1")) == "paygo"
    assert await ownership.owner(ACME, continuing("resp_1")) == "paygo"


async def test_a_request_without_an_id_may_go_anywhere(
    ownership: Ownership, owners: FakeResponseOwners
) -> None:
    """Nothing is looked up: such requests do not depend on the store."""
    owners.lost = True
    assert await ownership.owner(ACME, continuing(None)) is None


async def test_another_tenants_response_does_not_exist(ownership: Ownership) -> None:
    """Neither its content nor its existence is told."""
    await ownership.claim(ACME, made("resp_1", "paygo"))
    with pytest.raises(UnknownResponse) as theirs:
        await ownership.owner(RIVAL, reading("resp_1"))
    with pytest.raises(UnknownResponse) as nobodys:
        await ownership.owner(RIVAL, reading("resp_2"))
    assert theirs.value.message.replace("resp_1", "resp_2") == nobodys.value.message


async def test_an_unknown_previous_response_names_the_field(ownership: Ownership) -> None:
    """As OpenAI does: a 400 for the field, not a 404 for the URL."""
    with pytest.raises(UnknownPreviousResponse) as caught:
        await ownership.owner(ACME, continuing("resp_1"))
    assert caught.value.param == "previous_response_id"


async def test_a_lost_store_is_no_guess(ownership: Ownership, owners: FakeResponseOwners) -> None:
    """Asking another deployment would be a 404 that is not true."""
    owners.lost = True
    with pytest.raises(StoreUnavailable):
        await ownership.owner(ACME, reading("resp_1"))


async def test_answers_without_an_id_are_not_claimed(
    ownership: Ownership, owners: FakeResponseOwners
) -> None:
    """Most answers are not stored."""
    await ownership.claim(ACME, made(None, "paygo"))
    assert owners.claims == {}


async def test_items_belong_to_whoever_had_them_made(ownership: Ownership) -> None:
    """Taken up again by their tenant anywhere; for any other they do not exist, nor do new ones."""
    await ownership.claim(ACME, made("resp_1", "paygo", "rs_1", "rs_2"))
    assert await ownership.owner(ACME, taking_up("rs_1", "rs_2")) is None
    told = []
    for tenant, ids in ((RIVAL, ("rs_1",)), (ACME, ("rs_2", "rs_1x"))):
        with pytest.raises(UnknownResponse) as caught:
            await ownership.owner(tenant, taking_up(*ids))
        assert caught.value.param == "input"
        told.append(caught.value.message.replace(ids[-1], "ID"))
    assert told[0] == told[1] == "Item with id 'ID' not found."


async def test_a_foreign_item_is_refused_beside_an_own_response(ownership: Ownership) -> None:
    """One good id does not vouch for another."""
    await ownership.claim(ACME, made("resp_1", "paygo", "rs_1"))
    await ownership.claim(RIVAL, made("resp_2", "paygo", "rs_2"))
    both = structs.replace(continuing("resp_2"), references=("rs_1",))
    with pytest.raises(UnknownResponse):
        await ownership.owner(RIVAL, both)
    both = structs.replace(continuing("resp_2"), references=("rs_2",))
    assert await ownership.owner(RIVAL, both) == "paygo"


async def test_what_a_stream_makes_is_claimed_with_its_end(
    ownership: Ownership, owners: FakeResponseOwners
) -> None:
    """Before the client sees the event that tells the ids."""
    rest = ScriptedResponse(Act(), continuing(None), FakeClock())
    streamed = {"content-type": "text/event-stream"}
    answer = made("resp_1", "ptu", "rs_1", headers=streamed, rest=rest)
    await ownership.claim(ACME, answer)
    assert list(owners.claims) == [("acme", "resp_1")]
    event = json.dumps({"type": "response.completed", "response": json.loads(answer.head)})
    for _ in range(2):
        await answer.before_end(b"data: {}\n\nevent: x\ndata: " + event.encode() + b"\n\n")
    assert list(owners.claims) == [("acme", "resp_1"), ("acme", "rs_1")]


async def test_only_what_an_upstream_made_is_claimed(
    ownership: Ownership, owners: FakeResponseOwners
) -> None:
    """Not what a refusal says, nor a list of what was sent, which a caller could write itself."""
    await ownership.claim(ACME, made(None, "ptu", "rs_1", status=400))
    listing = InferenceRequest(match("GET", "/v1/responses/resp_1/input_items", ""), "", b"")
    await ownership.claim(ACME, made(None, "ptu", "rs_1", request=listing))
    chat = InferenceRequest(match("POST", "/v1/chat/completions", ""), "m", b"{}")
    await ownership.claim(ACME, made(None, "ptu", "rs_1", request=chat))
    assert owners.claims == {}
    await ownership.claim(ACME, made(None, "ptu", "rs_1", request=reading("resp_1")))
    assert list(owners.claims) == [("acme", "rs_1")]


@pytest.mark.parametrize(("status", "left"), [(200, []), (404, ["resp_1"]), (500, ["resp_1"])])
async def test_what_was_deleted_is_nobodys(
    ownership: Ownership, owners: FakeResponseOwners, status: int, left: list[str]
) -> None:
    """If it was; its tenant is told that there is none, and nobody is asked."""
    await ownership.claim(ACME, made("resp_1", "paygo"))
    deleting = InferenceRequest(match("DELETE", "/v1/responses/resp_1", ""), "", b"")
    await ownership.claim(ACME, made(None, "paygo", request=deleting, status=status))
    assert [response_id for _, response_id in owners.claims] == left
