"""What every test may ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis, one per test process: keep tests apart by unique key prefixes, never flush."""
    if installed_binaries().server is None:
        pytest.skip("no embedded Redis server for this machine")
    directory: Path = tmp_path_factory.mktemp("redis")
    with asyncio.Runner() as runner:
        server = embedded_redis(directory)
        running = runner.run(server.__aenter__())
        yield running.url
        runner.run(server.__aexit__(None, None, None))
