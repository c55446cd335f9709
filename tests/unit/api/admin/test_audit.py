from __future__ import annotations

import httpx2
import pytest

from tests.fakes.admin import AdminHouse
from tests.fakes.changed import replace


@pytest.fixture
async def changed(house: AdminHouse, owner: httpx2.AsyncClient) -> AdminHouse:
    """Five changes were made."""
    for number in range(5):
        await owner.patch(
            "tenants/search",
            json={"tags": {"n": str(number)}},
            headers={"x-request-id": f"req-{number}"},
        )
    return house


async def test_that_the_log_is_read_in_parts(
    changed: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """Each change once, the oldest first: who, what, and under which request id."""
    found, after = [], "0"
    while after is not None:
        part = (await owner.get("audit", params={"after": after, "limit": 2})).json()
        found += part["data"]
        after = part["next"]
    assert [record["number"] for record in found] == [1, 2, 3, 4, 5]
    assert found[4]["request_id"] == "req-4"
    assert (found[0]["actor"], found[0]["kind"], found[0]["id"], found[0]["action"]) == (
        "owner",
        "tenant",
        "search",
        "changed",
    )


async def verified(owner: httpx2.AsyncClient) -> tuple[int, list[str]]:
    found = (await owner.get("audit/verify")).json()["data"]
    return found["records"], found["faults"]


async def test_that_a_whole_log_is_whole(changed: AdminHouse, owner: httpx2.AsyncClient) -> None:
    """All records are read; an empty log is whole, too."""
    assert await verified(owner) == (5, [])
    changed.store.records.clear()
    assert await verified(owner) == (0, [])


async def test_that_every_tampering_is_found(
    changed: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """A record that was altered, dropped from the middle, or moved."""
    whole = list(changed.store.records)
    for tampered in (
        [*whole[:2], replace(whole[2], actor="nobody"), *whole[3:]],
        [*whole[:2], *whole[3:]],
        whole[1:],
        [*whole[:3], replace(whole[3], previous="00"), whole[4]],
    ):
        changed.store.records[:] = tampered
        assert (await verified(owner))[1]


async def test_that_a_log_that_was_cut_at_its_end_is_found(
    changed: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """The chain is whole then; the store's own end tells."""
    end = changed.store.end

    async def told() -> object:
        return end

    changed.store.audit_end = told  # type: ignore[method-assign,assignment]  # a double's own method
    del changed.store.records[-1]
    async with changed.client() as client:
        faults = (await verified(client))[1]
    assert faults == ["record 5: was the last one, and is not there as it was"]


async def test_that_what_the_store_lost_is_read_from_the_copy(
    changed: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """In its place, in parts as ever; the log is whole then."""
    changed.audit_copy[:] = changed.store.records
    del changed.store.records[:3]
    found, after = [], "0"
    while after is not None:
        part = (await owner.get("audit", params={"after": after, "limit": 2})).json()
        found += [record["number"] for record in part["data"]]
        after = part["next"]
    assert found == [1, 2, 3, 4, 5]
    assert await verified(owner) == (5, [])
    assert (await owner.get("audit", params={"after": 5})).json() == {"data": [], "next": None}


async def test_that_a_log_written_anew_differs_from_its_copy(
    changed: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """Whoever can write to Redis can make a chain that is whole, not one that was copied."""
    changed.audit_copy[:] = changed.store.records
    changed.store.records.clear()
    await owner.patch("tenants/search", json={"tags": {"n": "forged"}})
    faults = (await verified(owner))[1]
    assert faults == [
        "record 1: is another one in the copy",
        "record 5: is in the copy alone, as others after 1 may be",
    ]


async def test_that_an_altered_copy_is_found(
    changed: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """It is checked like the log; one that is behind is no fault."""
    changed.audit_copy[:] = changed.store.records[:2]
    assert (await owner.get("audit/verify")).json()["data"]["archived"] == 2
    assert await verified(owner) == (5, [])
    changed.audit_copy[0] = replace(changed.audit_copy[0], actor="nobody")
    assert (await verified(owner))[1] == ["the copy's record 1: its content was altered"]
