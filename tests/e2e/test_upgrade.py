"""A rollout and its rollback: processes of the version before and of this one, on one Redis.

The version before comes out of the repository's history: a copy without it leaves these tests out.
"""

from __future__ import annotations

import asyncio
import subprocess
import tarfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import pytest
from redis.asyncio import Redis

from app.adapters.redis.data_format import KEY as DATA
from app.adapters.redis.embedded import embedded_redis
from tests.e2e.gateways import Gateway, let_in, settled, started, written

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

ROOT: Final = Path(__file__).parents[2]
#: The version before: a commit until there are releases.
BEFORE: Final = "0febf4092da2f45f39ce5e1bcd677230f11a8c20"
A_DAY: Final = 40


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The version before, as files."""
    place = tmp_path_factory.mktemp("before")
    archive = place / "app.tar"
    command: list[str | Path] = ["git", "-C", ROOT, "archive", "--output", archive, BEFORE, "app"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"this copy has no history: {done.stderr.strip()}")
    with tarfile.open(archive) as packed:
        packed.extractall(place, filter="data")
    return place


@dataclass(slots=True)
class Place:
    """What both versions share."""

    directory: Path
    redis: Redis
    http: aiohttp.ClientSession
    running: ExitStack

    async def start(self, cwd: Path) -> Gateway:
        """A process of the version that is in `cwd`, or of this one where none is."""
        return await started(cwd, self.directory / "spillgate.yaml", self.http, self.running)


@asynccontextmanager
async def place(directory: Path) -> AsyncIterator[Place]:
    """A Redis, an archive, a configuration."""
    async with (
        embedded_redis(directory / "redis") as server,
        Redis.from_url(server.url) as redis,
        aiohttp.ClientSession() as http,
    ):
        written(directory, server.url, A_DAY)
        with ExitStack() as running:
            yield Place(directory, redis, http, running)


async def all_answered(*asked: Gateway) -> None:
    assert set(await asyncio.gather(*(each.chat() for each in asked))) == {200}


async def test_a_rollout_and_its_rollback_lose_and_double_nothing(
    before: Path, tmp_path: Path
) -> None:
    """Old, both, new, both again, old: one account, one directory, one archive throughout."""
    async with place(tmp_path) as here:
        old = await here.start(before)
        await all_answered(*[old] * 10)
        first = await old.made("by-the-old")
        assert not await here.redis.exists(DATA), "so old that it knows no data format"

        new = await here.start(tmp_path)
        assert await here.redis.hget(DATA, "format") == b"1"
        await all_answered(*[old, new] * 10)
        await settled(old, 30)
        await settled(new, 30)
        await let_in(new, first)
        second = await new.made("by-the-new")
        await let_in(old, second)

        await old.end()
        await asyncio.to_thread(new.command.logged, "archive_taken_over")
        await all_answered(*[new] * 5)

        old = await here.start(before)
        await new.end()
        await settled(old, 35)
        await let_in(old, second)
        answers = await asyncio.gather(*(old.chat() for _ in range(12)))
        assert answers.count(200) == A_DAY - 35, "as much as was left, exactly"
        await old.end()


async def test_a_limit_is_exact_over_both_versions(before: Path, tmp_path: Path) -> None:
    """A crowd that asks replicas of two versions at once: as many as there is room for."""
    async with place(tmp_path) as here:
        both = [await here.start(before), await here.start(tmp_path)]
        answers = await asyncio.gather(*(each.chat() for each in both * A_DAY))
        assert answers.count(200) == A_DAY
        assert set(answers) == {200, 429}
        await asyncio.gather(*(each.end() for each in both))
