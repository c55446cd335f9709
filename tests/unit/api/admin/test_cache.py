"""Kept answers in the admin API: counted, listed and evicted, each tenant's by those who may."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from app.domain.cache.entry import Question
from app.domain.cache.outcome import CacheResult
from app.domain.explain.explanation import CachedRecord, Explanation
from app.domain.identity.directory import CacheEntry, Role
from app.domain.ledger.completion import Outcome
from tests.fakes.admin import ADMIN_KEYS, AdminHouse
from tests.fakes.entries import BODY, an_entry

LONG = "What is a monad? " * 20
#: By number: prompts of answers that end later with each.
PROMPTS = ("What is a functor?", "What is the capital of France?", LONG)


def fingerprint(number: int) -> bytes:
    return bytes([number + 1]) * 16


@pytest.fixture
async def kept(house: AdminHouse) -> AdminHouse:
    """Three answers of `search`, the last by another model, and one of `other`."""
    for tenant, numbers in (("search", (0, 1, 2)), ("other", (0,))):
        for number in numbers:
            entry = an_entry(
                question=Question(fingerprint(number), prompt=PROMPTS[number]),
                request_id=f"req-{number}",
                model="gpt-4o" if number < 2 else "gpt-4o-mini",
                seconds=0.0,
                stored_at=house.clock.unix(),
            )
            house.clock.advance(1)
            await house.kept.keep(tenant, entry, 60.0 + number, None)
    return house


def explained(house: AdminHouse, request_id: str, of: bytes, tenant: str = "search") -> None:
    """Have a request that got an answer from the cache."""
    record = CachedRecord(CacheResult.EXACT, fingerprint=of.hex(), source="req-1")
    house.explanations[request_id] = [
        Explanation(request_id, 7.0, 0.5, Outcome.FINISHED, tenant, cache=record)
    ]


async def evict(client: httpx2.AsyncClient, tenant: str = "search", **by: Any) -> Any:
    answer = await client.post(f"cache/{tenant}/evictions", json=by)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def left(house: AdminHouse, tenant: str = "search") -> set[int]:
    page = await house.kept.entries(tenant, "", 100)
    return {each.fingerprint[0] - 1 for each in page.answers}


async def test_totals_of_each_tenant_and_of_one(
    kept: AdminHouse, owner: httpx2.AsyncClient, tenant_admin: httpx2.AsyncClient
) -> None:
    """By name, in pages; a tenant-admin is told its own."""
    search = {"tenant": "search", "answers": 3, "bytes": 3 * len(BODY)}
    other = {"tenant": "other", "answers": 1, "bytes": len(BODY)}
    first = (await owner.get("cache", params={"limit": 1})).json()
    assert first == {"data": [other], "next": "other"}
    assert (await owner.get("cache", params={"cursor": "other"})).json() == {
        "data": [search],
        "next": None,
    }
    assert (await tenant_admin.get("cache")).json()["data"] == [search]
    assert (await owner.get("cache/search/totals")).json()["data"] == search
    assert (await owner.get("cache/nobody/totals")).status_code == 404


async def test_answers_are_listed_without_what_they_say(
    kept: AdminHouse, tenant_admin: httpx2.AsyncClient
) -> None:
    """Those that end last first, page by page; of a prompt the beginning, of a body nothing."""
    found, cursor = [], None
    while True:
        asked = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = await tenant_admin.get("cache/search/answers", params=asked)
        assert "capital of France." not in answer.text, "the body"
        page = answer.json()
        found += page["data"]
        if (cursor := page["next"]) is None:
            break
    assert [each["request_id"] for each in found] == ["req-2", "req-1", "req-0"]
    assert found[0]["prompt"] == LONG[:120]
    assert found[1] == {
        "fingerprint": fingerprint(1).hex(),
        "request_id": "req-1",
        "model": "gpt-4o",
        "operation": "chat_completions",
        "stored_at": 1_790_000_001.0,
        "expires_at": 1_790_000_063.0,
        "bytes": len(BODY),
        "by_meaning": False,
        "prompt": PROMPTS[1],
    }


async def test_a_viewer_is_told_numbers_and_no_prompt(kept: AdminHouse) -> None:
    """Nor may it evict anything."""
    async with kept.client(ADMIN_KEYS[Role.VIEWER]) as viewer:
        assert (await viewer.get("cache/search/totals")).status_code == 200
        refused = [
            await viewer.get("cache/search/answers"),
            await viewer.post("cache/search/evictions", json={"all": True}),
        ]
    assert [answer.status_code for answer in refused] == [403, 403]
    assert all(prompt[:10] not in answer.text for answer in refused for prompt in PROMPTS)
    assert await left(kept) == {0, 1, 2}


@pytest.mark.parametrize(
    ("by", "gone"),
    [
        ({"fingerprint": fingerprint(1).hex()}, {1}),
        ({"request_id": "req-1"}, {1}),
        ({"model": "gpt-4o"}, {0, 1}),
        ({"prompt_prefix": "What is a "}, {0, 2}),
        ({"model": "gpt-4o", "prompt_prefix": "What is a "}, {0}),
        ({"model": "gone-since"}, set()),
        ({"all": True}, {0, 1, 2}),
    ],
)
async def test_answers_are_evicted_in_one_of_four_ways(
    kept: AdminHouse, owner: httpx2.AsyncClient, by: dict[str, Any], gone: set[int]
) -> None:
    """It is said how many; another tenant's answer to the same request stays."""
    assert await evict(owner, **by) == {
        "tenant": "search",
        "evicted": len(gone),
        "fingerprint": None,
        "recorded": True,
    }
    assert await left(kept) == {0, 1, 2} - gone
    assert await left(kept, "other") == {0}


async def test_an_answer_is_evicted_by_a_request_that_got_it(
    kept: AdminHouse, tenant_admin: httpx2.AsyncClient
) -> None:
    """Its explanation knows which; what the request's own answer made is gone, too."""
    explained(kept, "req-hit", fingerprint(1))
    evicted = await evict(tenant_admin, request_id="req-hit")
    assert evicted == {
        "tenant": "search",
        "evicted": 1,
        "fingerprint": fingerprint(1).hex(),
        "recorded": True,
    }
    assert await left(kept) == {0, 2}
    explained(kept, "req-0", fingerprint(2))  # an id that was used twice
    assert (await evict(tenant_admin, request_id="req-0"))["evicted"] == 2
    assert await left(kept) == set()


async def test_another_tenants_request_leads_to_nothing(
    kept: AdminHouse, owner: httpx2.AsyncClient, tenant_admin: httpx2.AsyncClient
) -> None:
    """Neither through its explanation nor through the path."""
    explained(kept, "req-theirs", fingerprint(0), tenant="other")
    evicted = await evict(tenant_admin, request_id="req-theirs")
    assert (evicted["evicted"], evicted["fingerprint"]) == (0, None)
    answer = await tenant_admin.post("cache/other/evictions", json={"all": True})
    assert answer.status_code == 404
    assert (await left(kept), await left(kept, "other")) == ({0, 1, 2}, {0})
    assert (await evict(owner, "other", request_id="req-theirs"))["evicted"] == 1


async def test_an_eviction_is_in_the_audit_log(
    kept: AdminHouse, tenant_admin: httpx2.AsyncClient
) -> None:
    """Who, whose, and under which request; no word of a prompt is kept for it."""
    await tenant_admin.post(
        "cache/search/evictions", json={"model": "gpt-4o"}, headers={"x-request-id": "because"}
    )
    await evict(tenant_admin, model="gpt-4o", prompt_prefix="My card number")
    first, second = kept.store.records
    assert (first.kind, first.id, first.action) == ("cache", "search", "created")
    assert (first.role, first.request_id) == (Role.TENANT_ADMIN, "because")
    assert second.action == "changed"
    said = {"model": "gpt-4o", "prompt_prefix": "14 characters"}
    assert kept.store.current.caches == {"search": CacheEntry("search", said, version=2)}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"all": False},
        {"prompt_prefix": ""},
        {"prompt_prefix": "x" * 501},
        {"fingerprint": "ABC"},
        {"fingerprint": "0" * 32, "model": "gpt-4o"},
        {"request_id": "req-1", "all": True},
        {"everything": True},
    ],
)
async def test_what_selects_nothing_clearly_evicts_nothing(
    kept: AdminHouse, owner: httpx2.AsyncClient, body: dict[str, Any]
) -> None:
    """An empty selection is not the whole tenant."""
    answer = await owner.post("cache/search/evictions", json=body)
    assert answer.status_code == 400
    assert (await left(kept), kept.store.records) == ({0, 1, 2}, [])


async def test_a_cursor_that_is_no_pages_is_a_mistake(owner: httpx2.AsyncClient) -> None:
    """It is named."""
    answer = await owner.get("cache/search/answers", params={"cursor": "x"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "cursor")


async def test_a_cache_out_of_reach_is_a_503(kept: AdminHouse, owner: httpx2.AsyncClient) -> None:
    """In OpenAI's shape; after an eviction that may have been half done it is said so."""
    kept.kept.away = True
    for path in ("cache", "cache/search/totals", "cache/search/answers"):
        answer = await owner.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")
    answer = await owner.post("cache/search/evictions", json={"all": True})
    assert answer.status_code == 503
    assert "may be left" in answer.json()["error"]["message"]


async def test_an_eviction_stands_where_it_cannot_be_recorded(
    kept: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """A store that is full takes no line of a log; what it holds must go all the same."""
    kept.store.away = True
    with capture_logs() as logs:
        evicted = await evict(owner, all=True)
    assert (evicted["evicted"], evicted["recorded"]) == (3, False)
    assert await left(kept) == set()
    (line,) = [each for each in logs if each["event"] == "eviction_not_recorded"]
    assert (line["tenant"], line["by"]) == ("search", {"all": "true"})


async def test_what_broke_off_is_recorded(kept: AdminHouse, owner: httpx2.AsyncClient) -> None:
    """Some of it may be gone."""
    kept.kept.away = True
    assert (await owner.post("cache/search/evictions", json={"all": True})).status_code == 503
    assert set(kept.store.current.caches) == {"search"}


async def test_a_deleted_tenants_answers_are_not_its_successors(
    kept: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """Gone with it, or before there is another of that name; one that is there keeps its own."""
    assert (await owner.post("tenants", json={"name": "search"})).status_code == 412
    assert await left(kept) == {0, 1, 2}
    await evict(owner, model="none")
    await owner.delete("tenants/search")
    assert (await left(kept), kept.store.current.caches) == (set(), {})

    kept.kept.away = True
    assert (await owner.delete("tenants/other")).status_code == 200
    assert (await owner.post("tenants", json={"name": "other"})).status_code == 503
    kept.kept.away = False
    assert await left(kept, "other") == {0}
    assert (await owner.post("tenants", json={"name": "other"})).status_code == 201
    assert await left(kept, "other") == set()
