"""Compose's configuration for real: the gateway, its Redis, Prometheus and a receiver of traces.

The files are those that docker-compose.yml mounts; nothing but addresses and the volume's directory
is replaced. Not started for want of packages: Grafana, the collector and Tempo.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import openai
import pytest
import yaml

from tests.deploy.files import COMPOSE_CONFIG, ROOT, at, read, services
from tests.e2e.command import Spillgate, spillgate
from tests.fakes.trace_receiver import TraceReceiver, trace_receiver
from tests.tools.prometheus import Prometheus, real_prometheus
from tests.tools.rules import RULES

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
#: Enough that at a tenth some are traced: none of 200 has a chance of one in a billion.
REQUESTS = 200


@dataclass(frozen=True, slots=True)
class Started:
    """What is asked of it."""

    gateway: Spillgate
    admin: str
    sdk: openai.AsyncOpenAI
    traces: TraceReceiver
    prometheus: Prometheus


def _keys(directory: Path) -> None:
    """By the service `keys`' own script."""
    script = ROOT / "deploy" / "compose" / "keys.py"
    environment = {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, script, directory / "keys"], check=True, env=environment)


def _config(directory: Path, redis_url: str, receiver: str) -> Path:
    """The configuration file, its addresses replaced by those of this machine."""
    (directory / "config").mkdir()
    places = {
        "redis://redis:6379/0": redis_url,
        "http://otel-collector:4318": receiver,
        "/var/lib/spillgate": str(directory),
        "port: 8080": "port: 0",
        "admin_port: 8081": "admin_port: 0",
    }
    return at(COMPOSE_CONFIG, places, directory / "config")


@asynccontextmanager
async def scraping(admin: str) -> AsyncIterator[Prometheus]:
    """By prometheus.yml; of it the target and how often are replaced, and nobody is alerted."""
    config = read(ROOT / "prometheus.yml")
    config["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s"}
    del config["alerting"]
    (scrape,) = config["scrape_configs"]
    scrape["static_configs"] = [{"targets": [urlsplit(admin).netloc]}]
    async with real_prometheus(config, *RULES) as server:
        await server.scraped()
        yield server


@asynccontextmanager
async def started(directory: Path, redis_url: str) -> AsyncIterator[Started]:
    """All of it; the gateway by the command that docker-compose.yml gives it."""
    _keys(directory)
    async with trace_receiver() as traces:
        config = _config(directory, redis_url, traces.url)
        command = services()["gateway"]["command"]
        arguments = [str(config) if each.startswith("/etc/") else each for each in command]
        with spillgate(*arguments, cwd=directory, PYTHONPATH=str(ROOT)) as gateway:
            line = await asyncio.to_thread(gateway.logged, "serving")
            data, admin = (
                line[each].replace("//0.0.0.0:", "//127.0.0.1:") for each in ("data", "admin")
            )
            key = (directory / "keys" / "demo").read_text()
            async with (
                scraping(admin) as prometheus,
                openai.AsyncOpenAI(base_url=f"{data}/v1", api_key=key, max_retries=0) as sdk,
            ):
                yield Started(gateway, admin, sdk, traces, prometheus)
            await asyncio.to_thread(gateway.end)
            assert gateway.process.returncode == 0, gateway.output


async def test_compose_s_files_make_a_gateway_that_is_watched(
    tmp_path: Path, redis_url: str
) -> None:
    """Requests are answered, counted by every rule without an error, and traced; TERM ends it."""
    async with started(tmp_path, redis_url) as here:
        await asyncio.gather(*(_ask(here.sdk, number) for number in range(REQUESTS)))
        await here.traces.until(lambda: bool(here.traces.spans))
        await _counted(here.prometheus)
        rules = await here.prometheus.rules()
        broken = {each["name"]: each.get("lastError") for each in rules if each["health"] != "ok"}
        assert broken == {}
        assert rules
    assert {each.service["service.name"] for each in here.traces.spans} == {"spillgate"}
    assert (tmp_path / "ledger").is_dir()


async def _ask(sdk: openai.AsyncOpenAI, number: int) -> None:
    """A question of its own; a full PTU and both PAYGO deployments may refuse some."""
    with suppress(openai.RateLimitError):
        await sdk.chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": f"Question {number}"}],
            max_tokens=5,
        )


async def _counted(prometheus: Prometheus) -> None:
    """Every request was scraped, by the name of the job that rules and dashboards know."""
    async with asyncio.timeout(60):
        while True:
            found = await prometheus.query('sum(llm_requests_total{job="spillgate"})')
            if found and found[0].value == REQUESTS:
                return
            await asyncio.sleep(0.2)


def test_the_replaced_addresses_are_all_there_are() -> None:
    """No other address of Compose's network is in the file, unseen by the test above."""
    text = COMPOSE_CONFIG.read_text("utf-8")
    config = yaml.safe_load(text)
    hosts = {urlsplit(each["endpoint"]).hostname or "" for each in config["deployments"].values()}
    assert all(host.startswith("contoso-") for host in hosts)
    assert text.count("redis://") == text.count("http://") == 1
