"""Administrators wait for a Redis that requests do not wait for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from app.adapters.redis.embedded_binaries import installed_binaries
from app.domain.identity.directory import Actor, Role, TenantEntry
from app.domain.identity.directory_change import creation
from tests.fakes.keepers import settings_of, state_of
from tests.integration.redis.frozen import FrozenAtWill

pytestmark = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)
#: What a request waits for, and how long Redis' disk keeps it: the one is far from the other.
REQUEST_MS, BUSY_S = 50, 0.75


async def test_a_change_is_made_once_the_disk_of_redis_is_free(
    own_redis: FrozenAtWill, tmp_path: Path
) -> None:
    """It waits, and is not refused; requests have long given up by then."""
    settings = settings_of(own_redis.url, tmp_path)
    assert settings.redis is not None
    hurried = settings.redis.model_copy(update={"operation_timeout_ms": REQUEST_MS})
    async with state_of(settings.model_copy(update={"redis": hurried})) as state:
        own_redis.freeze()
        asyncio.get_running_loop().call_later(BUSY_S, own_redis.thaw)
        made = await state.directory.change(
            [creation(TenantEntry("search-team"))], Actor("an administrator", Role.OWNER)
        )
        assert made.version == state.directory.current.version
        assert "search-team" in state.directory.current.tenants
