"""A server of our own that ends by itself is started again; one that is stopped is not."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.adapters.redis import embedded
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries
from tests.fakes.patient import patient_client

pytestmark = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)


async def until(holds: Callable[[], object]) -> None:
    """Fail when it does not come about."""
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.01)


async def killed(url: str) -> None:
    """As the kernel does that has no memory left."""
    async with patient_client(url) as client:
        info: Any = await client.info("server")
        os.kill(info["process_id"], signal.SIGKILL)


def events(logs: list[Any]) -> list[str]:
    return [log["event"] for log in logs]


async def test_one_that_is_killed_comes_back_with_its_data(tmp_path: Path) -> None:
    """At the same place, as often as it takes, and told each time."""
    with capture_logs() as logs:
        async with embedded_redis(tmp_path) as server:
            async with patient_client(server.url) as client:
                await client.set("kept", "here")
                asked: Any = client
                await asked.execute_command("WAITAOF", 1, 0, 20_000)  # it is on the disk
            for times in (1, 2):
                await killed(server.url)
                await until(lambda: len(logs) == 2 * times)  # noqa: B023  # it is done by then
                async with patient_client(server.url) as client:
                    assert await client.get("kept") == b"here"
    assert events(logs) == ["embedded_redis_ended", "embedded_redis_back"] * 2
    assert (logs[0]["status"], logs[0]["log"]) == (-signal.SIGKILL, str(tmp_path / "redis.log"))


async def test_one_that_cannot_come_back_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What keeps it from starting is told, and once that is over it starts."""
    monkeypatch.setattr(embedded, "AGAIN_AFTER_FAILURE_S", 0.05)
    append_only = tmp_path / "appendonlydir"
    with capture_logs() as logs:
        async with embedded_redis(tmp_path) as server:
            append_only.rename(tmp_path / "away")
            append_only.write_bytes(b"")  # no directory can be made there
            await killed(server.url)
            await until(lambda: "embedded_redis_not_back" in events(logs))
            append_only.unlink()
            (tmp_path / "away").rename(append_only)
            await until(lambda: "embedded_redis_back" in events(logs))
    assert "status" in next(log["why"] for log in logs if "why" in log)


@pytest.mark.parametrize("steps", range(4))
async def test_who_leaves_twice_leaves_no_server(tmp_path: Path, steps: int) -> None:
    """Cancelled while it ends already, whatever it waits for then."""
    begun: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def use() -> None:
        async with embedded_redis(tmp_path) as server:
            begun.set_result(server.url)
            await asyncio.Event().wait()

    using = asyncio.create_task(use())
    async with patient_client(await begun) as client:
        info: Any = await client.info("server")
    using.cancel()
    for _ in range(steps):
        await asyncio.sleep(0)
    using.cancel()
    await asyncio.wait({using})
    with pytest.raises(ProcessLookupError):
        os.kill(info["process_id"], 0)


async def test_one_that_is_stopped_stays_stopped(tmp_path: Path) -> None:
    """Nothing is told of it."""
    with capture_logs() as logs:
        async with embedded_redis(tmp_path):
            pass
    assert logs == []
