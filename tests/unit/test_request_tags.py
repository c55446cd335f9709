"""Tags of a request, from its header to its row in the ledger."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.identity.tenant import Tenant
from app.domain.ledger.ledger_row import LedgerRow, RowKind, decode
from app.errors import MalformedRequest
from app.observation import Observation
from tests.fakes.call import FakeCall
from tests.fakes.house import House
from tests.fakes.reply import RecordingReply

CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
ACME = Tenant("acme", tags={"cost_center": "42", "project": "none"})


def tagged(tags: str, path: str = "/v1/chat/completions", **more: Any) -> FakeCall:
    return FakeCall(path, more.pop("fields", CHAT), headers={"x-spillgate-tags": tags}, **more)


@pytest.fixture
def house() -> House:
    return House(tenants=[ACME])


def row_of(house: House) -> LedgerRow:
    (row,) = house.accounts.rows
    return row


async def test_a_row_has_the_tags_of_its_request_and_its_tenant(house: House) -> None:
    """Those of the request win; nothing of them reaches the upstream or the answer."""
    house.upstream("ptu").completes("Hello", usage=(9, 2))
    reply, _ = await house.serve(tagged("project=alpha,feature=search"))

    assert row_of(house).tags == {"cost_center": "42", "project": "alpha", "feature": "search"}
    (asked,) = house.upstream.asked
    assert not [name for name in (*asked.headers, *reply.headers) if "tags" in name]


async def test_without_a_header_the_tenants_tags_are_the_rows(house: House) -> None:
    """Who says nothing is still accounted for."""
    house.upstream("ptu").completes("Hello", usage=(9, 2))
    await house.serve(FakeCall(fields=CHAT))
    assert row_of(house).tags == {"cost_center": "42", "project": "none"}


async def test_a_refused_request_has_its_tags(house: House) -> None:
    """What was turned away can be grouped by them, too."""
    with pytest.raises(MalformedRequest):
        await house.serve(tagged("project=alpha", fields={"messages": []}))
    assert (row_of(house).kind, row_of(house).tags["project"]) == (RowKind.REFUSED, "alpha")


async def test_what_nobody_settles_has_its_tags(house: House) -> None:
    """The row that is written should the worker die."""
    house.upstream("ptu").completes("Hello", usage=(9, 2))
    drafts: list[bytes] = []
    reserve = house.accounts.reserve

    async def seen(ask: Any, tenant: Tenant) -> Any:
        drafts.append(ask.draft)
        return await reserve(ask, tenant)

    house.accounts.reserve = seen  # type: ignore[method-assign]  # to look at what is asked
    await house.serve(tagged("project=alpha"))
    (draft,) = drafts
    assert decode(draft).tags == {"cost_center": "42", "project": "alpha"}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models"])
async def test_malformed_tags_are_refused_before_anything_is_read_or_taken(
    house: House, path: str
) -> None:
    """A 400 that names the header, whatever is asked for; it is recorded like any refusal."""
    call = tagged("Project=alpha", path, method="GET" if path == "/v1/models" else "POST")
    reply = RecordingReply()
    with pytest.raises(MalformedRequest, match="'Project': a tag's name must be") as caught:
        await house.gateway.handle(call, reply)
    assert caught.value.param == "x-spillgate-tags"
    assert (reply.status, call.body_was_read, house.receipt.status) == (None, False, 400)
    assert not house.upstream.asked
    assert row_of(house).tags == dict(ACME.tags)


async def test_a_strangers_tags_are_not_looked_at(house: House) -> None:
    """Who has no key is told that, and nothing else."""
    with pytest.raises(Exception, match="Incorrect API key"):
        await house.serve(tagged("malformed", tenant="nobody"))


def test_without_the_header_requests_share_one_empty_mapping(house: House) -> None:
    """Nothing is made for those who do not use tags."""
    first, second = (Observation(FakeCall(), house.clock) for _ in range(2))
    assert first.tags is second.tags
