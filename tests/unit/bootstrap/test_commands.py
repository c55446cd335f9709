"""What a command starts ends with it, and what keeps it from going on is said in one line."""

from __future__ import annotations

import asyncio

import pytest

from app.bootstrap.commands import beside, run
from app.bootstrap.process import running
from app.settings import build


async def _for_ever(ended: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("ended")


async def _fail(error: Exception) -> None:
    await asyncio.sleep(0)
    raise error


async def test_work_ends_with_the_block() -> None:
    """Nothing is left running, and its end is waited for."""
    ended: list[str] = []
    async with beside(_for_ever(ended), _for_ever(ended)):
        await asyncio.sleep(0)
        assert ended == []
    assert ended == ["ended", "ended"]


async def test_a_failure_of_the_block_comes_out_as_itself() -> None:
    """As if there were nothing beside it."""
    ended: list[str] = []
    failure = OSError("no more space")
    with pytest.raises(OSError, match="no more space") as raised:
        async with beside(_for_ever(ended)):
            await _fail(failure)
    assert raised.value is failure
    assert ended == ["ended"]


async def test_a_failure_beside_the_block_ends_it_and_comes_out_as_itself() -> None:
    """The block is not left waiting for what will not come."""
    ended: list[str] = []
    failure = OSError("no more watches")
    with pytest.raises(OSError, match="no more watches") as raised:
        async with beside(_for_ever(ended), _fail(failure)):
            await asyncio.Event().wait()
    assert raised.value is failure
    assert ended == ["ended"]


async def test_being_cancelled_stays_a_cancellation() -> None:
    """And ends what runs beside."""
    ended: list[str] = []

    async def both() -> None:
        async with beside(_for_ever(ended)):
            await asyncio.Event().wait()

    task = asyncio.create_task(both())
    for _ in range(3):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert ended == ["ended"]


def test_a_failure_inside_a_running_gateway_is_one_line(
    redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever stands between it and the command: shared holds, listeners, work beside."""
    listen = {"port": 0, "admin_port": 0}
    timeouts = {"drain_lag_s": 0, "drain_s": 1}
    settings = build(
        _config() | {"redis": {"url": redis_url}, "listen": listen} | {"timeouts": timeouts}
    )

    async def main() -> None:
        async with running(settings), beside(_for_ever([])):
            raise OSError("the watch on the config is gone")

    assert run(main()) == 1
    assert capsys.readouterr().err == "the watch on the config is gone\n"


def test_a_failing_traffic_or_watch_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """What runs beside a command is part of it."""

    async def main() -> None:
        async with beside(_fail(OSError("no more watches"))):
            await asyncio.Event().wait()

    assert run(main()) == 1
    assert capsys.readouterr().err == "no more watches\n"


def _config() -> dict[str, object]:
    deployment = {
        "kind": "paygo",
        "endpoint": "https://x.openai.azure.com",
        "model": "gpt-4o",
        "auth": {"api_key": "k"},
    }
    return {"deployments": {"paygo": deployment}, "models": {"gpt-4o": {"tiers": [["paygo"]]}}}
