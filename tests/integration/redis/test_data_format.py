"""Which data format is in Redis, and who starts on it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest
import yaml
from redis import Redis
from structlog.testing import capture_logs

from app.adapters.clock import SystemClock
from app.adapters.redis import data_format
from app.adapters.redis.batch import Batch
from app.adapters.redis.data_format import (
    FORMAT,
    KEY,
    Formats,
    UnreadableData,
    agree,
    agreeing,
)
from app.adapters.redis.embedded_binaries import installed_binaries
from app.adapters.redis.store import opened_store
from app.bootstrap.probing import probed
from app.bootstrap.running import running
from app.cli.key import new_key
from app.planner.probing.finding import Finding, State
from app.settings import Settings, build, load
from tests.e2e.command import spillgate
from tests.fakes.patient import patient
from tests.integration.redis.cluster import Server, is_up

#: A deployment at an address where nobody is.
_SERVED: Final = {
    "deployments": {
        "paygo": {
            "kind": "paygo",
            "endpoint": "http://127.0.0.1:9",
            "model": "gpt-4o",
            "auth": {"api_key": "k"},
        }
    },
    "models": {"gpt-4o": {"tiers": [["paygo"]]}},
}
pytestmark = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of these tests' own, because there is one format for all of a Redis."""
    binary = installed_binaries().server
    assert binary is not None
    with ExitStack() as stack:
        one = Server(binary, tmp_path_factory.mktemp("redis"), cluster=False)
        one.start()
        stack.callback(one.kill)
        is_up(one)
        yield one


@pytest.fixture
def redis(server: Server) -> Iterator[Redis]:
    """A plain client of it, and nothing there."""
    with Redis(port=server.port, decode_responses=True) as client:
        client.flushall()
        yield client


@pytest.fixture
async def batch(server: Server, redis: Redis) -> AsyncIterator[Batch]:
    """A gateway's way to it."""
    place = patient(f"redis://127.0.0.1:{server.port}")
    async with opened_store(place, SystemClock()) as store:
        yield store.batch


async def test_an_empty_redis_gets_the_newest_format_once(batch: Batch, redis: Redis) -> None:
    """And keeps whose it was first, whoever starts later."""
    assert await agree(batch, "1.0", Formats(1, 2)) == 2
    assert await agree(batch, "2.0", Formats(1, 3)) == 2
    assert redis.hgetall(KEY) == {"format": "2", "noted_by": "1.0"}


async def test_many_that_start_at_once_agree(batch: Batch) -> None:
    """Two versions on an empty Redis: whichever is first, all of them have the same one."""
    starts = [agree(batch, f"{n}", Formats(1, 1 + n % 2)) for n in range(20)]
    found = await asyncio.gather(*starts, return_exceptions=True)
    formats = {each for each in found if isinstance(each, int)}
    assert len(formats) == 1
    refused = [each for each in found if not isinstance(each, int)]
    assert all(isinstance(each, UnreadableData) for each in refused)
    assert not (refused and formats == {1}), "the older one is read by both"


@pytest.mark.parametrize(
    ("found", "formats", "said"),
    [("3", Formats(1, 2), "reads 2 at most"), ("1", Formats(2, 3), "reads 2 at least")],
)
async def test_a_format_out_of_range_is_refused_and_nothing_changed(
    batch: Batch, redis: Redis, found: str, formats: Formats, said: str
) -> None:
    """The message names both numbers and the page."""
    redis.hset(KEY, "format", found)
    with pytest.raises(UnreadableData, match=said) as told:
        await agree(batch, "2.0", formats)
    assert f"data format {found}" in str(told.value)
    assert "docs/upgrades.md" in str(told.value)
    assert redis.hgetall(KEY) == {"format": found}


async def test_what_is_no_number_is_refused(batch: Batch, redis: Redis) -> None:
    """Rather than taken for an empty Redis."""
    redis.hset(KEY, "format", "new")
    with pytest.raises(UnreadableData, match="is no number"):
        await agree(batch, "2.0", Formats())


async def test_an_older_format_that_is_read_stays(batch: Batch, redis: Redis) -> None:
    """So the older version beside it, or after a rollback, still reads it."""
    await agree(batch, "1.0", Formats(1, 1))
    assert await agree(batch, "2.0", Formats(1, 2)) == 1
    assert await agree(batch, "1.0", Formats(1, 1)) == 1


async def test_a_redis_that_comes_late_is_looked_at_then(
    server: Server, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is told to end when what comes is unreadable; the log says why."""
    redis.hset(KEY, "format", "9")
    server.stop()  # a kill could leave unwritten what a busy disk has not taken
    monkeypatch.setattr(data_format, "BOOT_S", 0.05)
    monkeypatch.setattr(data_format, "LOOK_S", 0.05)
    ended = asyncio.Event()
    place = patient(f"redis://127.0.0.1:{server.port}")
    with capture_logs() as logs:
        async with (
            opened_store(place, SystemClock()) as store,
            agreeing(store.batch, "1.0", ended.set),
        ):
            assert not ended.is_set()
            server.start()
            is_up(server)
            async with asyncio.timeout(60):
                await ended.wait()
    (line,) = [each for each in logs if each["event"] == "redis_data_unreadable"]
    assert "data format 9" in line["detail"]


def test_a_probe_says_so_before_anything_is_replaced(server: Server, redis: Redis) -> None:
    """`check --probe` by the version that is to come; it notes nothing."""
    settings = build({"redis": {"url": f"redis://127.0.0.1:{server.port}"}} | _SERVED)
    assert _of_format(settings) == []
    assert not redis.exists(KEY)
    redis.hset(KEY, "format", str(FORMAT + 1))
    (finding,) = _of_format(settings)
    assert (finding.place, finding.state) == ("redis", State.FAILED)


def _of_format(settings: Settings) -> list[Finding]:
    return [each for each in probed(settings) if "data format" in each.what]


async def test_nothing_is_opened_on_a_newer_format(
    server: Server, redis: Redis, tmp_path: Path
) -> None:
    """The start ends there: neither a directory nor an account is written."""
    redis.hset(KEY, "format", str(FORMAT + 1))
    _config(tmp_path, server)
    with pytest.raises(UnreadableData):
        async with running(load(tmp_path / "spillgate.yaml", {})):
            pass
    assert redis.keys() == [KEY]


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, 2])
def test_serve_does_not_start_on_a_newer_format(
    workers: int, server: Server, redis: Redis, tmp_path: Path
) -> None:
    """One line that says why, exit code 1, and nothing of a directory or an account written."""
    redis.hset(KEY, "format", str(FORMAT + 1))
    _config(tmp_path, server)
    command = ("serve", "--config", "spillgate.yaml", "--simulate", "--workers", str(workers))
    with spillgate(*command, cwd=tmp_path) as gateway:
        assert gateway.process.wait(60) == 1
        gateway.wait_for(f"data format {FORMAT + 1}, and this version reads {FORMAT} at most")
    assert redis.keys() == [KEY]


@pytest.mark.long
def test_serve_notes_the_format(server: Server, redis: Redis, tmp_path: Path) -> None:
    """Beside the first data that it writes."""
    _config(tmp_path, server)
    with spillgate("serve", "--config", "spillgate.yaml", "--simulate", cwd=tmp_path) as gateway:
        gateway.logged("serving")
        gateway.end(signal.SIGTERM)
    assert redis.hget(KEY, "format") == str(FORMAT)


def _config(directory: Path, server: Server) -> None:
    config = {
        "redis": {"url": f"redis://127.0.0.1:{server.port}", "operation_timeout_ms": 5000},
        "listen": {"port": 0, "admin_port": 0},
        "admin": {"key": "an-admin-key-of-tests"},
        **_SERVED,
        "tenants": {"team": {"keys": [new_key("test")]}},
        "timeouts": {"drain_lag_s": 0, "drain_s": 1},
    }
    (directory / "spillgate.yaml").write_text(yaml.safe_dump(config))
