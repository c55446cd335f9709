"""`check` beside a gateway that serves, one that never did, and none."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from app.adapters.clock import SystemClock
from app.adapters.redis.batch import batching
from app.adapters.redis.connection import redis_breaker, redis_client
from app.adapters.redis.directory import DirectoryOptions, RedisDirectory
from app.adapters.redis.directory_reading import READ_WITHIN_S, read_directory
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries
from app.bootstrap.comparison import compared
from app.cli.key import new_key
from app.domain.seeds import differences, seeds_of
from app.settings import Settings, build

needs_redis = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)
KEY = new_key("test")


def _settings(url: str | None = None, rpm: int = 60, **tenants: Any) -> Settings:
    deployment = {"kind": "paygo", "endpoint": "https://x.openai.azure.com", "model": "gpt-4o"}
    redis = {"redis": {"url": url}} if url else {}
    return build(
        {
            "deployments": {"a": deployment | {"auth": {"entra": {}}}},
            "models": {"gpt-4o": {"tiers": [["a"]]}},
            "tenants": {"team": {"keys": [KEY], "limits": {"rpm": rpm}}} | tenants,
        }
        | redis
    )


@needs_redis
async def test_that_what_is_in_force_is_read_and_nothing_is_written(tmp_path: Path) -> None:
    """Tenants, keys and limits that differ are found; a Redis that was never served stays empty."""
    settings, clock = _settings(), SystemClock()
    async with embedded_redis(tmp_path) as embedded, redis_client(embedded.url) as client:
        assert await read_directory(embedded.url) is None
        assert await client.keys("*") == []
        async with (
            batching(client, redis_breaker(clock)) as batch,
            RedisDirectory(
                batch, clock, lambda pepper: seeds_of(settings, pepper), DirectoryOptions()
            ),
        ):
            before = await client.hgetall("spillgate:{directory}:workers")
            found = await read_directory(embedded.url)
            assert found is not None
            assert differences(settings, found) == []
            assert differences(_settings(rpm=70, other={}), found) == [
                "tenants.team.limits.rpm: 60 in force, not 70",
                "tenants.other: does not exist",
            ]
            assert (await client.hgetall("spillgate:{directory}:workers")).keys() == before.keys()


def test_that_a_redis_that_is_not_there_is_said_soon() -> None:
    """Nothing listens; or nothing answers, which takes no longer than its bound."""
    began = time.monotonic()
    assert compared(_settings("redis://127.0.0.1:1/0")) == [
        "not compared with what is in force: Redis was not reachable"
    ]
    assert time.monotonic() - began < READ_WITHIN_S


def test_that_without_an_embedded_redis_nothing_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is started for it."""
    monkeypatch.chdir(tmp_path)
    assert compared(_settings()) == [
        "not compared with what is in force: no embedded Redis runs in this directory"
    ]
    assert list(tmp_path.iterdir()) == []
