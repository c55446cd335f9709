"""A server of our own that ends by itself is told of; one that is stopped is not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries

pytestmark = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)


@pytest.mark.parametrize("by_itself", [True, False])
async def test_its_end_is_told(tmp_path: Path, by_itself: bool) -> None:  # noqa: FBT001  # a case
    """Nobody starts it again: what it held is out of reach until the gateway is restarted."""
    with capture_logs() as logs:
        async with embedded_redis(tmp_path) as embedded, Redis.from_url(embedded.url) as client:
            if by_itself:
                await client.shutdown(nosave=True, now=True, force=True)
                async with asyncio.timeout(60):
                    while not logs:
                        await asyncio.sleep(0.01)
    log = str(tmp_path / "redis.log")
    told = {"event": "embedded_redis_ended", "log_level": "error", "status": 0, "log": log}
    assert logs == ([told] if by_itself else [])
