"""Compose's other parts that are packages, by the commands and files that it gives them.

Alertmanager is Debian's. Redis is the server that the embedded one is made of (Valkey): the image's
own is no package. Grafana, the collector and Tempo are none either.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import aiohttp
import pytest
from aiohttp import web
from redis import Redis

from app.adapters.clock import SystemClock
from app.adapters.redis.embedded_binaries import installed_binaries
from app.adapters.redis.embedded_process import bound_to_parent
from app.adapters.redis.looking import look
from app.planner.probing.finding import State
from app.planner.probing.redis import Needs, judged
from tests.deploy.files import ROOT, read, services
from tests.integration.redis.cluster import free_port
from tests.tools.debian import program

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
START_S: Final = 60.0
ALERTMANAGER: Final = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
SERVER: Final = installed_binaries().server
SHARE: Final = "/usr/share/prometheus/alertmanager"


@asynccontextmanager
async def pagers() -> AsyncIterator[tuple[str, asyncio.Queue[tuple[str, list[str]]]]]:
    """Whoever is told: by its first name the alerts of each call."""
    told: asyncio.Queue[tuple[str, list[str]]] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        alerts = (await request.json())["alerts"]
        names = sorted(each["labels"]["alertname"] for each in alerts)
        told.put_nowait((request.match_info["who"], names))
        return web.Response()

    application = web.Application()
    application.router.add_post("/{who}/alerts", take)
    runner = web.AppRunner(application)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}", told
    finally:
        await runner.cleanup()


@asynccontextmanager
async def alertmanager(directory: Path, pager: str) -> AsyncIterator[str]:
    """By Compose's command; its receivers' addresses and its own replaced, and nothing else."""
    text = re.sub(r"http://([\w-]+)\.internal:8000/", rf"{pager}/\1/", ALERTMANAGER.read_text())
    (directory / "alertmanager.yml").write_text(text)
    places = {"/etc/alertmanager": str(directory), "/alertmanager": str(directory / "data")}
    command = services()["alertmanager"]["command"]
    given = [
        re.sub(r"(/etc)?/alertmanager(?=/|$)", lambda m: places[m[0]], each) for each in command
    ]
    port = free_port()
    own = [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    with installed(directory) as binary, (directory / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(binary, *given, *own, stdout=log, stderr=log)
        try:
            await _ready(f"http://127.0.0.1:{port}/-/ready", directory / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


@contextmanager
def installed(directory: Path) -> Iterator[Path]:
    """Debian's Alertmanager, which finds its templates although it was only unpacked.

    It reads them below SHARE alone: a copy of it reads a link of just as many characters.
    """
    binary = program("prometheus-alertmanager", package="prometheus-alertmanager")
    if Path(SHARE).exists():
        yield binary
        return
    with TemporaryDirectory(prefix="am-", dir="/tmp") as short:  # the test's own is too long
        link = f"{short}/a".ljust(len(SHARE), "/")
        Path(link).symlink_to(binary.parents[2] / SHARE.removeprefix("/"))
        copied = directory / binary.name
        copied.write_bytes(binary.read_bytes().replace(SHARE.encode(), link.encode()))
        copied.chmod(0o755)
        yield copied


async def _ready(url: str, log: Path) -> None:
    async with aiohttp.ClientSession() as http:
        for _ in range(int(START_S / 0.05)):
            with suppress(aiohttp.ClientConnectionError):
                async with http.get(url) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.05)
    raise AssertionError(log.read_text())


async def test_alertmanager_tells_whom_the_file_names(tmp_path: Path) -> None:
    """A page goes to who is on call; what follows from an absent gateway is not told again."""
    raised = [
        {"alertname": "SpillgateAbsent", "severity": "page", "job": "spillgate"},
        {"alertname": "SpillgateRedisDown", "severity": "page", "job": "spillgate"},
        {"alertname": "SpillgateRedisDown", "severity": "page", "job": "another"},
    ]
    async with (
        pagers() as (pager, told),
        alertmanager(tmp_path, pager) as url,
        aiohttp.ClientSession() as http,
    ):
        body = [{"labels": labels} for labels in raised]
        async with http.post(f"{url}/api/v2/alerts", json=body) as answer:
            assert answer.status == 200, await answer.text()
        async with asyncio.timeout(START_S):
            calls = sorted([await told.get(), await told.get()])
        assert calls == [("on-call", ["SpillgateAbsent"]), ("on-call", ["SpillgateRedisDown"])]
        assert told.empty()


@contextmanager
def redis_of_compose(directory: Path) -> Iterator[Redis]:
    """By Compose's command, its data here."""
    name, *given = services()["redis"]["command"]
    assert name == "redis-server"
    port = free_port()
    own = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory)]
    command = bound_to_parent([str(SERVER), *given, *own])
    with (
        subprocess.Popen(
            command, stdout=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]}
        ) as it,
        Redis(port=port, decode_responses=True) as client,
    ):
        try:
            yield client
        finally:
            it.terminate()


@pytest.mark.skipif(SERVER is None, reason="no embedded Redis server for this machine")
async def test_redis_by_compose_s_command_is_what_quotas_need(tmp_path: Path) -> None:
    """No eviction, a file that is appended to; `check --probe` has nothing against it."""
    with redis_of_compose(tmp_path) as client:
        port = client.connection_pool.connection_kwargs["port"]
        async with asyncio.timeout(START_S):
            while not (tmp_path / "appendonlydir").exists():
                await asyncio.sleep(0.02)
        facts = await look(f"redis://127.0.0.1:{port}", SystemClock())
        found = judged(facts, Needs("redis", cluster=False, patience_s=5.0))
        assert [each for each in found if each.state is State.FAILED] == []
        settings = client.config_get("maxmemory*") | client.config_get("append*")
    assert settings["maxmemory-policy"] == "noeviction"
    assert int(settings["maxmemory"] or 0) == 384 * 2**20
    assert (settings["appendonly"], settings["appendfsync"]) == ("yes", "everysec")


def test_the_collector_s_parts_are_all_defined_and_used() -> None:
    """What can be seen of it without the collector: no pipeline names what is not there."""
    config: dict[str, Any] = read(ROOT / "deploy" / "otel" / "collector.yaml")
    for kind in ("receivers", "processors", "exporters"):
        used = {name for each in config["service"]["pipelines"].values() for name in each[kind]}
        assert used == set(config[kind]), kind
    assert set(config["service"]["extensions"]) == set(config["extensions"])
    first = config["service"]["pipelines"]["traces"]["processors"][0]
    assert first == "memory_limiter", "before anything is kept in memory"


def test_who_does_not_start_here_is_said() -> None:
    """The page names each part of Compose that no test starts."""
    page = (ROOT / "docs" / "deploy" / "docker.md").read_text("utf-8")
    (row,) = re.findall(r"(?m)^\| not at all \|.*$", page)
    for name in ("Grafana", "Tempo", "collector"):
        assert name in row
    known = {"alertmanager", "gateway", "keys", "prometheus", "redis"}
    assert set(services()) - known == {"grafana", "otel-collector", "tempo"}
