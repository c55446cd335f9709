"""A reload puts the whole of what it can into force, says what has to wait, and keeps its turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
from structlog.testing import capture_logs

from app.bootstrap.process import Process
from app.bootstrap.running import running
from app.bootstrap.state import State
from app.settings import Settings, build

OLD_KEY, NEW_KEY = "the-first-admin-key", "another-admin-key"
WAITING = "config waits for the next start"


def settings_of(redis_url: str, directory: Path, **sections: Mapping[str, Any]) -> Settings:
    deployment = {
        "kind": "paygo",
        "endpoint": "https://x.openai.azure.com",
        "model": "gpt-4o",
        "auth": {"api_key": "k"},
    }
    usual: dict[str, Any] = {
        "deployments": {"paygo": deployment},
        "models": {"gpt-4o": {"tiers": [["paygo"]]}},
        "redis": {"url": redis_url},
        "ledger": {"archive": str(directory)},
        "listen": {"port": 0, "admin_port": 0},
        "admin": {"key": OLD_KEY},
        "timeouts": {"drain_lag_s": 0, "drain_s": 1},
    }
    return build({name: usual.get(name, {}) | sections.get(name, {}) for name in usual | sections})


@asynccontextmanager
async def process_of(settings: Settings) -> AsyncIterator[tuple[Process, httpx2.AsyncClient]]:
    async with running(settings) as process, httpx2.AsyncClient(timeout=60) as client:
        yield process, client


class Following:
    """State that follows when it may, or fails to."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.asked = asyncio.Event()
        self.may = asyncio.Event()
        self._failure = failure

    async def follow(self, settings: Settings) -> None:
        self.asked.set()
        await self.may.wait()
        if self._failure:
            raise self._failure


def another(process: Process, state: Following) -> Process:
    """A process on the same resources whose shared state is the test's."""
    return Process(process.current, process.resources, cast("State", state), process.logs)


async def test_limits_are_those_of_the_configuration_in_force(
    redis_url: str, tmp_path: Path
) -> None:
    """Size of a body, time for it, requests at once: from the reload on."""
    async with process_of(settings_of(redis_url, tmp_path)) as (process, _):
        assert process.data_plane.limits.max_in_flight == 4096
        fewer, sooner = {"max_in_flight": 1, "max_body_bytes": 2048}, {"body_s": 0.5}
        await process.reload(settings_of(redis_url, tmp_path, limits=fewer, timeouts=sooner))
        limits = process.data_plane.limits
        assert (limits.max_in_flight, limits.max_body, limits.body_s) == (1, 2048, 0.5)
        await process.reload(settings_of(redis_url, tmp_path, timeouts={"write_stall_s": 3}))
        limits = process.data_plane.limits
        assert (limits.write_stall_s, limits.max_in_flight) == (3.0, 4096)


async def test_an_admin_key_that_was_rotated_out_opens_nothing(
    redis_url: str, tmp_path: Path
) -> None:
    """The new one does, at once."""

    async def status(key: str) -> int:
        headers = {"authorization": f"Bearer {key}"}
        url = f"{process.admin_url}/admin/v1/deployments"
        return (await client.get(url, headers=headers)).status_code

    async with process_of(settings_of(redis_url, tmp_path)) as (process, client):
        assert (await status(OLD_KEY), await status(NEW_KEY)) == (200, 401)
        await process.reload(settings_of(redis_url, tmp_path, admin={"key": NEW_KEY}))
        assert (await status(OLD_KEY), await status(NEW_KEY)) == (401, 200)


async def test_an_embedder_that_nobody_asked_for_yet_waits_for_nothing(
    redis_url: str, tmp_path: Path
) -> None:
    """It is opened as the configuration says by then."""
    changed = settings_of(redis_url, tmp_path, cache={"embedder": {"dimensions": 64}})
    async with process_of(settings_of(redis_url, tmp_path)) as (process, _):
        with capture_logs() as logs:
            await process.reload(changed)
    assert [log for log in logs if log["event"] == WAITING] == []


async def test_what_waits_for_the_next_start_is_named(redis_url: str, tmp_path: Path) -> None:
    """At each reload for as long as it differs from what was started with; never its value."""
    semantic = {"semantic": {"enabled": True}}
    given = settings_of(redis_url, tmp_path, cache=semantic)
    changed = settings_of(
        redis_url,
        tmp_path,
        listen={"port": 8099},
        keys={"pepper": "a pepper of the test"},
        timeouts={"header_s": 3, "keep_alive_s": 4, "body_s": 5},
        limits={"max_connections": 99, "max_in_flight": 99},
        ledger={"retention_days": 40},
        budgets={"webhook": "https://hooks.example/secret"},
        cache={"embedder": {"dimensions": 64}, "lookup_ms": 60} | semantic,
    )
    async with process_of(given) as (process, _):
        with capture_logs() as logs:
            for settings in (given, changed, changed, given):
                await process.reload(settings)
    told = [log["settings"] for log in logs if log["event"] == WAITING]
    assert told == 2 * [
        [
            "listen.port",
            "ledger.retention_days",
            "budgets.webhook",
            "keys.pepper",
            "timeouts.header_s",
            "timeouts.keep_alive_s",
            "limits.max_connections",
            "cache.embedder",
        ]
    ]


async def test_a_section_that_comes_or_goes_is_named_as_such(
    redis_url: str, tmp_path: Path
) -> None:
    """There is nothing to compare it with."""
    given = settings_of(redis_url, tmp_path)
    async with process_of(given) as (process, _):
        with capture_logs() as logs:
            await process.reload(given.model_copy(update={"redis": None}))
    assert [log["settings"] for log in logs if log["event"] == WAITING] == [["redis"]]


async def test_of_two_reloads_at_once_the_later_is_in_force(redis_url: str, tmp_path: Path) -> None:
    """The first one takes longer and must not come out last."""
    given = settings_of(redis_url, tmp_path)
    older, newer = (settings_of(redis_url, tmp_path, limits={"max_in_flight": n}) for n in (2, 3))
    async with process_of(given) as (running_process, _):
        state = Following()
        process = another(running_process, state)
        first = asyncio.create_task(process.reload(older))
        await state.asked.wait()
        state.asked.clear()
        second = asyncio.create_task(process.reload(newer))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not state.asked.is_set(), "the second waits for the first"
        assert process.current.settings == given
        state.may.set()
        await asyncio.gather(first, second)
        assert process.current.settings == newer


async def test_a_failed_reload_changes_nothing(redis_url: str, tmp_path: Path) -> None:
    """And the next one is not kept waiting by it."""
    given = settings_of(redis_url, tmp_path)
    wanted = settings_of(redis_url, tmp_path, limits={"max_in_flight": 2})
    async with process_of(given) as (running_process, _):
        state = Following(RuntimeError("no state"))
        state.may.set()
        process = another(running_process, state)
        with capture_logs() as logs:
            for _ in range(2):
                with pytest.raises(RuntimeError, match="no state"):
                    await process.reload(wanted)
        assert process.current.settings == given
        assert logs == []
