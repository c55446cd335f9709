"""A process that is killed while it keeps the archive: another goes on where it was."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from app.adapters.archive.ledger_streams import key_of
from app.adapters.archive.reader import ArchiveReader
from app.adapters.redis.account import account_key
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries
from app.domain.ledger.ledger_row import encode
from tests.fakes.keepers import settings_of, state_of
from tests.fakes.ledger_rows import ledger_row
from tests.fakes.patient import PATIENCE_S, patient_client

pytestmark = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)
TENANT = "t"


@asynccontextmanager
async def kept_by_another(url: str, directory: Path) -> AsyncIterator[None]:
    """Until the scope ends, with which it is killed."""
    arguments = ("-m", "tests.crashes.keeper_worker", url, str(directory), TENANT)
    worker = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=PIPE)
    assert worker.stdout is not None
    try:
        async with asyncio.timeout(60):
            while await worker.stdout.readline() != b"keeps\n":
                assert worker.returncode is None
                assert not worker.stdout.at_eof()
        yield
    finally:
        worker.kill()
        await worker.communicate()
    assert worker.returncode == -9


async def settle(redis: Redis, count: int) -> None:
    """So many rows, over several rounds of a copier."""
    for number in range(count):
        row = encode(ledger_row(str(number), tenant=TENANT))
        await redis.xadd(key_of(TENANT), {"row": row, "mark": ""})
        await asyncio.sleep(0.002)


async def archived(directory: Path, at_least: int) -> list[int]:
    """Numbers of the rows that are archived, once there are so many."""
    reader = ArchiveReader(directory / "archive", skip_damaged=True)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = await asyncio.to_thread(lambda: [int(row.id) for row in reader.rows(TENANT)])
            if len(found) >= at_least:
                return found
            await asyncio.sleep(0.02)


async def test_a_killed_keeper_has_a_successor_that_goes_on(tmp_path: Path) -> None:
    """Killed amid rows that come: each is archived once, and a new tenant gets its account."""
    async with embedded_redis(tmp_path / "redis") as server, patient_client(server.url) as redis:
        settings = settings_of(server.url, tmp_path, TENANT)
        async with AsyncExitStack() as first:
            await first.enter_async_context(kept_by_another(server.url, tmp_path))
            async with state_of(settings) as second:
                assert second.kept is None
                coming = asyncio.create_task(settle(redis, 600))
                await archived(tmp_path, 1)
                await first.aclose()
                await coming
                await second.follow(settings_of(server.url, tmp_path, TENANT, "new"))
                assert await archived(tmp_path, 600) == list(range(600))
                async with asyncio.timeout(PATIENCE_S):
                    while await redis.get(f"{account_key('new')}:generation") is None:
                        await asyncio.sleep(0.02)
    assert ArchiveReader(tmp_path / "archive").verify() == []
