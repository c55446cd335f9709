"""A real Prometheus for tests, and promtool: what Debian packages, from PATH or unpacked."""

from __future__ import annotations

import asyncio
import re
import subprocess
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import aiohttp
import yaml

from tests.tools.debian import program

#: Longer than any machine is busy.
START_S: Final = 60.0
#: Prometheus ends within tens of milliseconds; then it is killed.
END_S: Final = 5.0
_LISTENING: Final = re.compile(rb'msg="Listening on" address=(127\.0\.0\.1:\d+)')


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer: labels with `__name__`, and (Unix time, value) pairs."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]

    @property
    def value(self) -> float:
        """The last value."""
        return self.points[-1][1]


@dataclass(frozen=True, slots=True)
class Prometheus:
    """What is asked of a running server; a refused question is an AssertionError with its text."""

    url: str
    http: aiohttp.ClientSession

    async def query(self, expression: str, *, at: float | None = None) -> list[Series]:
        """An instant query; of a scalar one series without labels."""
        given = {"query": expression} | ({} if at is None else {"time": f"{at:.3f}"})
        return _series(await self.ask("query", given))

    async def query_range(
        self, expression: str, *, start: float, end: float, step_s: float
    ) -> list[Series]:
        """A range query, by Unix times."""
        given = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step_s}"}
        return _series(await self.ask("query_range", {"query": expression} | given))

    async def exemplars(self, expression: str, *, start: float, end: float) -> list[dict[str, Any]]:
        """Series with their exemplars, as `/api/v1/query_exemplars` gives them."""
        given = {"query": expression, "start": f"{start:.3f}", "end": f"{end:.3f}"}
        found: list[dict[str, Any]] = await self.ask("query_exemplars", given)
        return found

    async def targets(self) -> list[dict[str, Any]]:
        """Active targets, with `health` and `lastError`."""
        found: list[dict[str, Any]] = (await self.ask("targets", {}))["activeTargets"]
        return found

    async def rules(self) -> list[dict[str, Any]]:
        """All rules, with `name`, `type`, `health` and, of alerts, `state`."""
        return [
            rule for group in (await self.ask("rules", {}))["groups"] for rule in group["rules"]
        ]

    async def ask(self, path: str, given: Mapping[str, str]) -> Any:
        """The data of any path below `/api/v1`."""
        async with self.http.get(f"{self.url}/api/v1/{path}", params=given) as answer:
            body = await answer.json()
        assert body["status"] == "success", f"{given}: {body.get('error')}"
        return body["data"]

    async def scraped(self, *, within_s: float = START_S) -> None:
        """Wait until every target has been scraped, and is up."""
        async with asyncio.timeout(within_s):
            while True:
                targets = await self.targets()
                if targets and all(each["health"] == "up" for each in targets):
                    return
                await asyncio.sleep(0.05)


@asynccontextmanager
async def real_prometheus(
    config: Mapping[str, Any], *rules: Path, history: str = ""
) -> AsyncIterator[Prometheus]:
    """A server on a free loopback port, ready to be asked; its data goes with it.

    `config` is a prometheus.yml as a mapping, `rules` are its rule files, `history` is OpenMetrics
    text with timestamps that its storage holds from the start.
    """
    binary = program("prometheus", package="prometheus")
    with TemporaryDirectory() as directory:
        place = Path(directory)
        written = dict(config) | {"rule_files": [str(each.resolve()) for each in rules]}
        (place / "prometheus.yml").write_text(yaml.safe_dump(written))
        if history:
            _backfill(place, history)
        async with _running(binary, place) as process, aiohttp.ClientSession() as http:
            async with asyncio.timeout(START_S):
                server = Prometheus(f"http://{await _address(process)}", http)
                # Nobody reads on: a full pipe would hold the server up.
                drain = asyncio.create_task(_drain(process))
                await _ready(server)
            try:
                yield server
            finally:
                await _end(process)
                await drain


def scraping(*targets: str, every: str = "1s", job: str = "spillgate") -> dict[str, Any]:
    """A config that scrapes these `host:port` and evaluates rules as often."""
    return {
        "global": {"scrape_interval": every, "evaluation_interval": every},
        "scrape_configs": [{"job_name": job, "static_configs": [{"targets": [*targets]}]}],
    }


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What promtool says, both streams in `stdout`; the test is skipped where there is none."""
    return _said(program("promtool", package="prometheus"), *arguments)


def amtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The same of Alertmanager's tool."""
    return _said(program("amtool", package="prometheus-alertmanager"), *arguments)


def _said(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


@asynccontextmanager
async def _running(binary: Path, place: Path) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        binary,
        f"--config.file={place / 'prometheus.yml'}",
        f"--storage.tsdb.path={place / 'data'}",
        "--storage.tsdb.retention.time=10y",
        "--web.listen-address=127.0.0.1:0",
        "--enable-feature=exemplar-storage",
        cwd=place,
        stdout=PIPE,
        stderr=STDOUT,
    )
    try:
        yield process
    finally:
        await _end(process)


async def _end(process: Process) -> None:
    """By TERM, and where that is not enough by force."""
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(END_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _address(process: Process) -> str:
    """Where it listens, of which its log tells."""
    assert process.stdout is not None
    written = b""
    async for line in process.stdout:
        written += line
        if match := _LISTENING.search(line):
            return match.group(1).decode()
    raise AssertionError(written.decode())


async def _drain(process: Process) -> None:
    assert process.stdout is not None
    async for _ in process.stdout:
        pass


async def _ready(server: Prometheus) -> None:
    while True:
        async with server.http.get(f"{server.url}/-/ready") as answer:
            if answer.status == 200:
                return
        await asyncio.sleep(0.02)


def _backfill(place: Path, history: str) -> None:
    (place / "history.txt").write_text(history)
    made = promtool(
        "tsdb", "create-blocks-from", "openmetrics", place / "history.txt", place / "data"
    )
    assert made.returncode == 0, made.stdout


def _series(data: Mapping[str, Any]) -> list[Series]:
    """Vectors and scalars have one point, matrices several."""
    result = data["result"]
    if data["resultType"] == "scalar":
        return [Series({}, (_point(result),))]
    return [
        Series(each["metric"], tuple(map(_point, each.get("values") or [each["value"]])))
        for each in result
    ]


def _point(pair: tuple[float, str]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])
