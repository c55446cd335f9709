"""What every memory of response owners promises, the tests' own included."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import pytest

from app.adapters.clock import SystemClock
from app.adapters.redis.response_owners import RedisResponseOwners
from app.adapters.redis.store import opened_store
from app.adapters.response_owners import MemoryResponseOwners
from app.ports import ResponseOwners
from tests.fakes.owners import FakeResponseOwners
from tests.fakes.patient import patient


@pytest.fixture
def tenant() -> str:
    return f"tenant-{uuid4()}"


@pytest.fixture(params=["memory", "fake", "redis"])
def url(request: pytest.FixtureRequest) -> str:
    """Where owners are kept, or by what if not in Redis."""
    shared = request.param == "redis"
    return str(request.getfixturevalue("redis_url") if shared else request.param)


@pytest.fixture
async def owners(url: str) -> AsyncIterator[ResponseOwners]:
    unshared: dict[str, Callable[[], ResponseOwners]] = {
        "memory": MemoryResponseOwners,
        "fake": FakeResponseOwners,
    }
    if url in unshared:
        yield unshared[url]()
        return
    async with opened_store(patient(url), SystemClock()) as store:
        yield RedisResponseOwners(store.batch)


async def test_an_owner_is_found(owners: ResponseOwners, tenant: str) -> None:
    """Whoever made a response is remembered."""
    await owners.claim(tenant, "resp_1", "ptu-east")
    await owners.claim(tenant, "resp_2", "paygo")

    assert await owners.owner(tenant, "resp_1") == "ptu-east"
    assert await owners.owner(tenant, "resp_2") == "paygo"


async def test_no_tenant_finds_anothers(owners: ResponseOwners, tenant: str) -> None:
    """An id is only worth something together with its tenant."""
    await owners.claim(tenant, "resp_1", "ptu-east")

    assert await owners.owner(f"{tenant}-other", "resp_1") is None
    assert await owners.owner(tenant, "resp_") is None


@pytest.mark.parametrize("response_id", ["", "}:{", "a b\r\n", "ключ", "\ud800", "x" * 512])
async def test_any_id_is_only_an_id(owners: ResponseOwners, tenant: str, response_id: str) -> None:
    """Callers choose what they ask for."""
    assert await owners.owner(tenant, response_id) is None
    await owners.claim(tenant, response_id, "ptu-east")
    assert await owners.owner(tenant, response_id) == "ptu-east"


async def test_a_second_claim_counts(owners: ResponseOwners, tenant: str) -> None:
    """Where an id is made twice, the later one is what the tenant means."""
    await owners.claim(tenant, "resp_1", "ptu-east")
    await owners.claim(tenant, "resp_1", "paygo")

    assert await owners.owner(tenant, "resp_1") == "paygo"


async def test_what_was_deleted_has_no_owner(owners: ResponseOwners, tenant: str) -> None:
    """Nor has what was never there; another tenant's of the same id stays."""
    for name in (tenant, f"{tenant}-other"):
        await owners.claim(name, "resp_1", "ptu-east")
    for response_id in ("resp_1", "resp_1", "\ud800"):
        await owners.forget(tenant, response_id)

    assert await owners.owner(tenant, "resp_1") is None
    assert await owners.owner(f"{tenant}-other", "resp_1") == "ptu-east"
