"""Tenants and keys of a running gateway: changed in the directory, in force at the next request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from app.adapters.archive.audit_log import archived_records
from app.adapters.archive.reader import ArchiveReader
from app.adapters.clock import SystemClock
from app.adapters.redis.directory import RedisDirectory
from app.cli.key import new_key
from app.domain.identity.api_key import ApiKey, digest
from app.domain.identity.directory import (
    Actor,
    Change,
    Entry,
    EntryKind,
    KeyEntry,
    Role,
    TenantEntry,
)
from app.domain.identity.directory_change import creation, place_of
from app.domain.quota.limit import LimitName, LimitRule
from app.settings import build
from tests.e2e.stack import Stack, eventually, ptu_and_paygo, stack
from tests.fakes.changed import replace
from tests.fakes.patient import patient_batch, patient_client

ANNA = Actor("anna", Role.OWNER)


@asynccontextmanager
async def other_worker(redis_url: str) -> AsyncIterator[RedisDirectory]:
    """A worker of another process, as far as the directory is concerned."""
    clock = SystemClock()
    async with (
        patient_client(redis_url) as client,
        patient_batch(client, clock) as batch,
        RedisDirectory(batch, clock, lambda _pepper: []) as directory,
    ):
        yield directory


def changed(entry: Entry, **changes: Any) -> Change:
    """What becomes of an entry that is there."""
    return Change(*place_of(entry), replace(entry, **changes), entry.version)


async def status(team: Stack, key: str) -> int:
    """Of a request with this key."""
    headers = {"authorization": f"Bearer {key}"}
    async with team.http.get(f"{team.base_url}/models", headers=headers) as answer:
        return answer.status


async def test_a_key_disabled_by_another_worker_is_refused_when_that_is_answered(
    redis_url: str,
) -> None:
    """The answer says on how many workers it is in force."""
    async with stack(redis_url, ptu_and_paygo) as team, other_worker(redis_url) as other:
        assert await status(team, team.key) == 200
        (entry,) = other.current.keys.values()
        made = await other.change([changed(entry, disabled=True)], ANNA)
        assert (made.workers, made.live) == (2, 2)
        assert await status(team, team.key) == 401

        await other.change([changed(other.current.keys[entry.id], disabled=False)], ANNA)
        assert await status(team, team.key) == 200


async def test_a_new_tenant_with_a_new_key_is_served_and_held_to_its_limits(redis_url: str) -> None:
    """Though no configuration knows it."""
    async with stack(redis_url, ptu_and_paygo) as team, other_worker(redis_url) as other:
        name, key = f"made-{uuid4().hex[:8]}", new_key("test")
        parsed = ApiKey.parse(key)
        assert parsed
        tenant = TenantEntry(name, limits=(LimitRule(LimitName.REQUESTS_PER_DAY, 0),))
        hashed = digest(other.in_force.pepper, key).hex()
        await other.change([creation(tenant), creation(KeyEntry(parsed.id, name, hashed))], ANNA)
        assert await status(team, key) == 200

        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
        headers = {"authorization": f"Bearer {key}"}
        url = f"{team.base_url}/chat/completions"
        async with team.http.post(url, json=body, headers=headers) as answer:
            assert answer.status == 429
        lifted = changed(other.current.tenants[name], limits=())
        await other.change([lifted], ANNA)
        async with team.http.post(url, json=body, headers=headers) as answer:
            assert answer.status == 200


@pytest.mark.parametrize("pepper", [None, "a pepper that the operator keeps"])
async def test_a_reload_creates_new_seeds_and_leaves_the_rest(
    redis_url: str, pepper: str | None
) -> None:
    """What was changed stays changed, whatever the file says."""

    def config(suffix: str) -> dict[str, Any]:
        return ptu_and_paygo(suffix) | ({"keys": {"pepper": pepper}} if pepper else {})

    async with stack(redis_url, config) as team:
        directory = team.process.resources.directory
        (entry,) = directory.current.tenants.values()
        await directory.change([changed(entry, disabled=True)], ANNA)
        assert await status(team, team.key) == 401

        key = new_key("test")
        settings = team.process.current.settings
        added = build(config("x") | {"tenants": {"added": {"keys": [key]}}}).tenants
        tenants = {**settings.tenants, **added}
        await team.process.reload(settings.model_copy(update={"tenants": tenants}))
        assert await status(team, key) == 200
        assert await status(team, team.key) == 401
        assert directory.current.tenants[entry.name].disabled
        assert {each.kind for each in await directory.audit(0, 10)} == {
            EntryKind.TENANT,
            EntryKind.KEY,
        }


async def test_a_deleted_tenants_last_rows_are_kept(redis_url: str) -> None:
    """What it asked for in its last moments reaches the archive after it is gone."""
    async with stack(redis_url, ptu_and_paygo) as team:
        directory = team.process.resources.directory
        (tenant,) = directory.current.tenants
        for _ in range(5):
            assert await status(team, team.key) == 200
        await directory.change([Change(EntryKind.TENANT, tenant, None)], ANNA)
        assert await status(team, team.key) == 401
        ledger = team.process.current.settings.ledger
        assert ledger is not None
        reader = ArchiveReader(Path(ledger.archive))
        await eventually(lambda: len(list(reader.rows(tenant))) == 5)


async def test_the_audit_log_outlives_redis(redis_url: str) -> None:
    """Its copy has every change; the admin API reads from it what Redis has lost."""
    async with stack(redis_url, ptu_and_paygo) as team:
        ledger = team.process.current.settings.ledger
        assert ledger is not None
        admin = f"{team.process.admin_url}/admin/v1"
        headers = {"authorization": "Bearer an-admin-key-of-tests"}

        async def read(path: str) -> Any:
            async with team.http.get(f"{admin}/{path}", headers=headers) as reply:
                assert reply.status == 200
                return (await reply.json())["data"]

        body = {"name": f"made-{uuid4().hex[:8]}"}
        async with team.http.post(f"{admin}/tenants", json=body, headers=headers) as reply:
            assert reply.status == 201
        before = await read("audit")
        archive = Path(ledger.archive)
        await eventually(lambda: len(list(archived_records(archive))) == len(before))
        async with Redis.from_url(redis_url) as redis:
            await redis.xtrim("spillgate:{directory}:audit", maxlen=1, approximate=False)
        assert await read("audit") == before
        verified = await read("audit/verify")
        assert (verified["faults"], verified["archived"]) == ([], len(before))
