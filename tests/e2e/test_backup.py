"""What docs/backup.md says, done: everything lost, restored from copies, and counted."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from redis import Redis
from redis.exceptions import RedisError

from app.adapters.redis.embedded_binaries import installed_binaries
from app.adapters.redis.embedded_process import bound_to_parent
from tests.e2e.gateways import ADMIN_KEY, Gateway, let_in, settled, started, written
from tests.integration.redis.cluster import free_port

SERVER: Final = installed_binaries().server
pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(300),
    pytest.mark.skipif(SERVER is None, reason="no embedded Redis server for this machine"),
]
A_DAY: Final = 1000
START_S: Final = 30.0


@contextmanager
def redis_on(port: int, directory: Path, appendonly: str = "yes") -> Iterator[Redis]:
    """A server with the data of a directory, killed at the end as by a power cut."""
    options = {"port": port, "bind": "127.0.0.1", "dir": directory, "appendonly": appendonly}
    given = [part for name, each in options.items() for part in (f"--{name}", str(each))]
    command = bound_to_parent([str(SERVER), *given, "--save", ""])
    environment = {"PATH": os.environ["PATH"]}
    with (
        subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as process,
        Redis(port=port, decode_responses=True) as client,
    ):
        try:
            _until_up(client)
            yield client
        finally:
            process.kill()


def _until_up(client: Redis) -> None:
    """Wait until it has loaded what it has."""
    until = time.monotonic() + START_S
    while True:
        try:
            client.ping()
        except RedisError:
            assert time.monotonic() < until
            time.sleep(0.02)
        else:
            return


@dataclass(slots=True)
class Site:
    """A place where a gateway runs: its Redis, its archive, its configuration."""

    directory: Path
    port: int
    http: aiohttp.ClientSession

    @asynccontextmanager
    async def running(self, *, appendonly: str = "yes") -> AsyncIterator[tuple[Gateway, Redis]]:
        """A Redis and a gateway on it; both are killed at the end."""
        data = self.directory / "redis"
        data.mkdir(exist_ok=True)
        with redis_on(self.port, data, appendonly) as redis, ExitStack() as opened:
            yield await started(self.directory, self.config, self.http, opened), redis

    @property
    def config(self) -> Path:
        return self.directory / "spillgate.yaml"

    def wipe(self) -> None:
        """Everything is gone, the configuration included."""
        for path in self.directory.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """One with nothing in it but its configuration."""
    directory, port = tmp_path / "site", free_port()
    directory.mkdir()
    written(directory, f"redis://127.0.0.1:{port}", A_DAY)
    async with aiohttp.ClientSession() as http:
        yield Site(directory, port, http)


async def asked(gateway: Gateway, times: int, key: str | None = None) -> None:
    """So many requests, answered all."""
    given = () if key is None else (key,)
    assert set(await asyncio.gather(*(gateway.chat(*given) for _ in range(times)))) == {200}


async def archived(site: Site, rows: int) -> None:
    """Wait until the archive has so many rows."""
    async with asyncio.timeout(60):
        while sum(path.read_bytes().count(b'"row":') for path in _files(site)) < rows:
            await asyncio.sleep(0.05)


def _files(site: Site) -> list[Path]:
    return list((site.directory / "ledger").glob("ledger-*.jsonl"))


def _told(gateway: Gateway, *command: str) -> tuple[int, Any]:
    """A command to the admin API: its exit code, and what it says as JSON."""
    given = {"SPILLGATE_ADMIN_URL": gateway.admin, "SPILLGATE_ADMIN_KEY": ADMIN_KEY}
    done = subprocess.run(
        [sys.executable, "-m", "app.main", *command, "--json"],
        env=os.environ | given,
        check=False,
        capture_output=True,
        text=True,
    )
    return done.returncode, json.loads(done.stdout)


async def usage(gateway: Gateway) -> dict[str, int]:
    """Requests by tenant, of the ledger."""
    code, found = await asyncio.to_thread(_told, gateway, "usage", "--by", "tenant")
    assert code == 0
    return {each["tenant"]: each["requests"] for each in found["data"]}


async def _filled(site: Site, copies: Path) -> str:
    """Work is done and backed up: Redis in the middle of it, the archive at its end.

    The key of a tenant that was made in the admin API.
    """
    async with site.running() as (gateway, redis):
        await asked(gateway, 12)
        key = await gateway.made("by-hand")
        await asked(gateway, 3, key)
        await settled(gateway, 12)  # no lease is open any more
        redis.save()
        shutil.copy(site.directory / "redis" / "dump.rdb", copies / "dump.rdb")
        await asked(gateway, 7)
        await archived(site, 22)
        shutil.copytree(site.directory / "ledger", copies / "ledger")
        shutil.copy(site.config, copies)
    site.wipe()
    return key


async def test_totals_tenants_and_the_audit_log_are_back(site: Site, tmp_path: Path) -> None:
    """From a copy of Redis, and one of the archive that is younger: nothing is missing."""
    copies = tmp_path / "copies"
    copies.mkdir()
    key = await _filled(site, copies)
    shutil.copytree(copies / "ledger", site.directory / "ledger")
    shutil.copy(copies / "spillgate.yaml", site.config)
    (site.directory / "redis").mkdir()
    shutil.copy(copies / "dump.rdb", site.directory / "redis")
    async with site.running(appendonly="no") as (gateway, redis):
        redis.config_set("appendonly", "yes")
        await settled(gateway, 19)
        await let_in(gateway, key)
        await asked(gateway, 1)
        await settled(gateway, 20)
        await archived(site, 24)
        assert await usage(gateway) == {"team": 20, "by-hand": 4}
        code, found = await asyncio.to_thread(_told, gateway, "audit", "verify")
        assert (code, found["data"]["faults"]) == (0, [])


async def test_without_a_copy_of_redis_what_was_counted_is_back(site: Site, tmp_path: Path) -> None:
    """Totals and the configured tenant; what only the admin API knew has to be made anew."""
    copies = tmp_path / "copies"
    copies.mkdir()
    key = await _filled(site, copies)
    shutil.copytree(copies / "ledger", site.directory / "ledger")
    shutil.copy(copies / "spillgate.yaml", site.config)
    async with site.running() as (gateway, _):
        await settled(gateway, 19)
        assert await gateway.chat(key) == 401
        again = await gateway.made("by-hand")
        await let_in(gateway, again)
        await archived(site, 23)
        assert await usage(gateway) == {"team": 19, "by-hand": 4}
