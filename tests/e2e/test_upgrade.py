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
from typing import Any, Final

import aiohttp
import pytest
import yaml
from redis.asyncio import Redis

from app.adapters.redis.data_format import KEY as DATA
from app.adapters.redis.embedded import embedded_redis
from app.cli.key import new_key
from tests.e2e.command import Spillgate, spillgate

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

ROOT: Final = Path(__file__).parents[2]
#: The version before: a commit until there are releases.
BEFORE: Final = "0febf4092da2f45f39ce5e1bcd677230f11a8c20"
KEY: Final = new_key("test")
ADMIN: Final = {"authorization": "Bearer an-admin-key-of-tests"}
DEADLINE_S: Final = 60.0
A_DAY: Final = 40
SERVING: Final = "serving, all deployments simulated"


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
class Gateway:
    """A running process of either version, and what to ask of it."""

    command: Spillgate
    http: aiohttp.ClientSession
    data: str
    admin: str

    async def chat(self, key: str = KEY) -> int:
        """One short answer; its status."""
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
        url, headers = f"{self.data}/v1/chat/completions", {"api-key": key}
        async with self.http.post(url, json=body, headers=headers) as answer:
            await answer.read()
            return answer.status

    async def used(self) -> int:
        """Requests of today, as the tenant's own account tells."""
        url, headers = f"{self.data}/v1/spillgate/me", {"api-key": KEY}
        async with self.http.get(url, headers=headers) as answer:
            limits: list[dict[str, Any]] = (await answer.json())["limits"]
        (used,) = [each["used"] for each in limits if each["name"] == "requests_per_day"]
        return int(used)

    async def made(self, tenant: str) -> str:
        """A new tenant's key, by the admin API."""
        await self.post("tenants", name=tenant)
        return str((await self.post(f"tenants/{tenant}/keys", name="first"))["key"])

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        """What the admin API answers."""
        url = f"{self.admin}/admin/v1/{path}"
        async with self.http.post(url, json=body, headers=ADMIN) as answer:
            assert answer.status < 300, await answer.text()
            return dict((await answer.json())["data"])

    async def end(self) -> None:
        """By TERM, as whoever replaces it does."""
        await asyncio.to_thread(self.command.end)
        assert self.command.process.returncode == 0, self.command.output


@dataclass(slots=True)
class Place:
    """What both versions share."""

    directory: Path
    redis: Redis
    http: aiohttp.ClientSession
    running: ExitStack

    async def start(self, cwd: Path) -> Gateway:
        """A process of the version that is in `cwd`, or of this one where none is."""
        config = str(self.directory / "spillgate.yaml")
        started = spillgate("serve", "--config", config, "--simulate", cwd=cwd)
        command = self.running.enter_context(started)
        line = await asyncio.to_thread(command.logged, SERVING)
        return Gateway(command, self.http, line["data"], line["admin"])


@asynccontextmanager
async def place(directory: Path) -> AsyncIterator[Place]:
    """A Redis, an archive, a configuration."""
    async with (
        embedded_redis(directory / "redis") as server,
        Redis.from_url(server.url) as redis,
        aiohttp.ClientSession() as http,
    ):
        _write(directory, server.url)
        with ExitStack() as running:
            yield Place(directory, redis, http, running)


def _write(directory: Path, redis_url: str) -> None:
    deployment = {"kind": "paygo", "endpoint": "https://x.openai.azure.com", "model": "gpt-4o"}
    config = {
        "redis": {"url": redis_url, "operation_timeout_ms": 5000},
        "listen": {"port": 0, "admin_port": 0},
        "ledger": {"archive": str(directory / "ledger")},
        "admin": {"key": "an-admin-key-of-tests"},
        "deployments": {"paygo": deployment | {"auth": {"api_key": "k"}}},
        "models": {"gpt-4o": {"tiers": [["paygo"]]}},
        "tenants": {"team": {"keys": [KEY], "limits": {"requests_per_day": A_DAY}}},
        "simulator": {"ttft_ms": 0, "tpot_ms": 0},
        "timeouts": {"drain_lag_s": 0, "drain_s": 5},
    }
    (directory / "spillgate.yaml").write_text(yaml.safe_dump(config))


async def settled(gateway: Gateway, used: int) -> None:
    """Wait until the account says so."""
    async with asyncio.timeout(DEADLINE_S):
        while await gateway.used() != used:
            await asyncio.sleep(0.02)


async def let_in(gateway: Gateway, key: str) -> None:
    """Wait until a key that was made elsewhere is known here."""
    async with asyncio.timeout(DEADLINE_S):
        while await gateway.chat(key) != 200:
            await asyncio.sleep(0.02)


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
