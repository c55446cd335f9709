"""The directory is read without being touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.adapters.clock import SystemClock
from app.adapters.redis.directory import DirectoryOptions, RedisDirectory
from app.adapters.redis.directory_reading import READ_WITHIN_S, read_directory
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries
from app.adapters.redis.store import Place, opened_store
from app.cli.key import new_key
from app.domain.identity.seeds import differences, seeds_of
from app.errors import StoreUnavailable
from app.settings import Settings, build
from tests.fakes.patient import patient_batch, patient_client
from tests.integration.redis.cluster import Cluster

pytestmark = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)
KEY = new_key("test")


def _settings(rpm: int = 60, **tenants: Any) -> Settings:
    deployment = {"kind": "paygo", "endpoint": "https://x.openai.azure.com", "model": "gpt-4o"}
    return build(
        {
            "deployments": {"a": deployment | {"auth": {"entra": {}}}},
            "models": {"gpt-4o": {"tiers": [["a"]]}},
            "tenants": {"team": {"keys": [KEY], "limits": {"rpm": rpm}}} | tenants,
        }
    )


async def test_that_what_is_in_force_is_read_and_nothing_is_written(tmp_path: Path) -> None:
    """Tenants, keys and limits that differ are found; a Redis that was never served stays empty."""
    settings, clock = _settings(), SystemClock()
    async with embedded_redis(tmp_path) as embedded, patient_client(embedded.url) as client:
        assert await read_directory(Place(embedded.url), clock) is None
        assert await client.keys("*") == []
        async with (
            patient_batch(client, clock) as batch,
            RedisDirectory(
                batch, clock, lambda pepper: seeds_of(settings, pepper), DirectoryOptions()
            ),
        ):
            before = await client.hgetall("spillgate:{directory}:workers")
            found = await read_directory(Place(embedded.url), clock)
            assert found is not None
            assert differences(settings, found) == []
            assert differences(_settings(rpm=70, other={}), found) == [
                "tenants.team.limits.rpm: 60 in force, not 70",
                "tenants.other: does not exist",
            ]
            assert (await client.hgetall("spillgate:{directory}:workers")).keys() == before.keys()


async def test_that_a_redis_that_wants_a_password_is_told_from_one_that_is_not_there(
    tmp_path: Path,
) -> None:
    """Whoever forgot it is not sent looking for the network's fault."""
    clock = SystemClock()
    async with embedded_redis(tmp_path) as embedded, patient_client(embedded.url) as client:
        await client.config_set("requirepass", "something")
        with pytest.raises(StoreUnavailable, match="Redis refused to be read"):
            await read_directory(Place(embedded.url), clock)
        await client.config_set("requirepass", "")


@pytest.mark.long
async def test_that_a_directory_in_a_cluster_is_read(redis_cluster: Cluster) -> None:
    """From the node that has it, whichever is named; in another than its own there is none."""
    settings, clock = _settings(), SystemClock()
    place = Place(redis_cluster.url, cluster=True, patience_s=READ_WITHIN_S)
    async with opened_store(place, clock) as store:
        options = DirectoryOptions(name="checked")
        async with RedisDirectory(
            store.batch, clock, lambda pepper: seeds_of(settings, pepper), options
        ):
            for server in redis_cluster.servers:
                url = f"redis://127.0.0.1:{server.port}/0"
                found = await read_directory(Place(url, cluster=True), clock, name="checked")
                assert found is not None
                assert differences(settings, found) == []
