"""The admin API over the directory in a real Redis and a real archive, with two workers."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest

from app.adapters.archive.archive import Archive
from app.adapters.archive.reader import ArchiveReader
from app.adapters.archive.usage_reader import ArchiveUsage
from app.adapters.clock import SystemClock
from app.adapters.identity.directory_keys import DirectoryKeys
from app.adapters.redis.directory import DirectoryOptions, RedisDirectory
from app.api.admin.application import create_admin
from app.api.admin.deployments import DeploymentList
from app.api.admin.services import AdminServices
from app.api.readiness import Readiness
from tests.fakes.admin import AdminHouse
from tests.fakes.ledger_rows import entries
from tests.fakes.patient import patient_batch, patient_client
from tests.fakes.planner import FakePlanner

CLOCK = SystemClock()
OWNER = "owner-key-of-the-tests"


@pytest.fixture
async def opened() -> AsyncIterator[AsyncExitStack]:
    """What a test opens ends with it."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def workers(redis_url: str, opened: AsyncExitStack) -> list[RedisDirectory]:
    """Two workers of one directory."""
    found, name = [], f"directory-{uuid4().hex}"
    for worker in ("w1", "w2"):
        client = await opened.enter_async_context(patient_client(redis_url))
        batch = await opened.enter_async_context(patient_batch(client, CLOCK))
        store = RedisDirectory(batch, CLOCK, lambda _: (), DirectoryOptions(worker, name))
        found.append(await opened.enter_async_context(store))
    return found


@pytest.fixture
async def owner(
    workers: list[RedisDirectory], opened: AsyncExitStack, tmp_path: Path
) -> httpx2.AsyncClient:
    """The first worker's admin API, as its owner sees it."""
    store = workers[0]
    with Archive.open(tmp_path, CLOCK) as archive:
        archive.append_all({"search": entries(1, 2, 3)})
    services = AdminServices(
        store=store,
        pepper=lambda: store.in_force.pepper,
        usage=ArchiveUsage(ArchiveReader(tmp_path)),
        owner_key=lambda: OWNER,
        clock=CLOCK,
        randomness=secrets.token_bytes,
        deployments=lambda: DeploymentList(data=[]),
        readiness=Readiness(),
        explanations=AdminHouse(),
        cache=AdminHouse().cache(),
        planner=FakePlanner(),
        forget_responses=AdminHouse().forget_responses,
        audit_end=store.audit_end,
    )
    transport = httpx2.ASGITransport(create_admin(services))
    return await opened.enter_async_context(
        httpx2.AsyncClient(
            transport=transport,
            base_url="http://admin/admin/v1",
            headers={"authorization": f"Bearer {OWNER}"},
        )
    )


async def test_that_a_change_is_in_force_on_every_worker_when_it_is_answered(
    owner: httpx2.AsyncClient, workers: list[RedisDirectory]
) -> None:
    """A key opens the other worker at once, a disabled one no longer, and it is all in the log."""
    there = DirectoryKeys(workers[1], CLOCK)
    await owner.post("tenants", json={"name": "search"})
    made = (await owner.post("tenants/search/keys", json={})).json()
    assert made["in_force"]["workers"] == made["in_force"]["live"] == 2
    key, one = made["data"]["key"], f"keys/{made['data']['id']}"
    principal = there.find(key)
    assert principal is not None
    assert principal.tenant.name == "search"

    fresh = (await owner.post(f"{one}/rotate", json={"overlap_s": 60})).json()["data"]["key"]
    assert there.find(key) is not None
    assert there.find(fresh) is not None
    await owner.patch(one, json={"disabled": True})
    assert there.find(key) is None
    await owner.delete("tenants/search")
    assert there.find(fresh) is None
    verified = (await owner.get("audit/verify")).json()["data"]
    assert (verified["faults"], verified["records"] > 5) == ([], True)


async def test_that_usage_is_read_from_the_archive(owner: httpx2.AsyncClient) -> None:
    """What was archived, summed, row by row, and as Parquet."""
    (total,) = (await owner.get("usage")).json()["data"]
    assert (total["requests"], total["nano_usd"]) == (3, 21)
    page = (await owner.get("ledger", params={"limit": 2})).json()
    rest = (await owner.get("ledger", params={"cursor": page["next"]})).json()
    assert [row["id"] for row in page["data"] + rest["data"]] == ["1", "2", "3"]
    assert (await owner.get("ledger", params={"format": "parquet"})).content[:4] == b"PAR1"
