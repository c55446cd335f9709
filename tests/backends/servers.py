"""MLflow and Phoenix on loopback, each from an environment of its own, and nothing sent outside."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

ENVIRONMENTS: Final = Path(__file__).parents[2] / ".venv-backends"
#: Both import for a quarter of a minute on a quiet machine, and then make a database.
START_S: Final = 180.0
STOP_S: Final = 15.0
_POLL_S: Final = 0.2
#: Neither reports its use to its makers, and MLflow fetches no prices.
_SILENT: Final = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PHOENIX_TELEMETRY_ENABLED": "false",
    "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
}


@dataclass(frozen=True, slots=True)
class Backend:
    """A running one: `url` is its page, its API, and where OTLP over HTTP is sent."""

    url: str
    grpc_url: str
    http: aiohttp.ClientSession

    async def get(self, path: str, **query: str) -> Any:
        """The JSON at a path; None where it is not there, or not yet."""
        async with self.http.get(f"{self.url}{path}", params=query) as answer:
            if answer.status == 404:
                return None
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON that a body is answered with."""
        async with self.http.post(f"{self.url}{path}", json=body) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()


@asynccontextmanager
async def mlflow(directory: Path) -> AsyncIterator[Backend]:
    """MLflow on a SQLite file: it takes spans with a SQL store alone. Experiment 0 is there."""
    port = _free_port()
    arguments = [
        *("server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{directory / 'mlflow.db'}"),
        *("--artifacts-destination", str(directory / "artifacts")),
    ]
    async with _running("mlflow", arguments, {}, directory), aiohttp.ClientSession() as http:
        backend = Backend(f"http://127.0.0.1:{port}", "", http)
        await _answering(backend, "/health")
        yield backend


@asynccontextmanager
async def phoenix(directory: Path) -> AsyncIterator[Backend]:
    """Phoenix on a SQLite file of its own; its project is `default`."""
    port, grpc_port = _free_port(), _free_port()
    variables = {
        "PHOENIX_WORKING_DIR": str(directory),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(grpc_port),
    }
    async with (
        _running("phoenix", ["serve"], variables, directory),
        aiohttp.ClientSession() as http,
    ):
        backend = Backend(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{grpc_port}", http)
        await _answering(backend, "/healthz")
        yield backend


async def until(found: Callable[[], Any], *, within_s: float = 60.0) -> Any:
    """What an awaitable function gives, as soon as it gives anything."""
    async with asyncio.timeout(within_s):
        while not (value := await found()):
            await asyncio.sleep(_POLL_S)
    return value


@asynccontextmanager
async def _running(
    name: str, arguments: list[str], variables: Mapping[str, str], directory: Path
) -> AsyncIterator[Process]:
    """The program `name` of the environment `name`, and no process of it left afterwards."""
    program = ENVIRONMENTS / name / "bin" / name
    if not program.exists():
        pytest.skip(f"{name} is not installed: make trace-backends")
    with (directory / f"{name}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            cwd=directory,
            env={**os.environ, **_SILENT, **variables},
            stdin=DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield process
        except TimeoutError as error:
            last = (directory / f"{name}.log").read_text(errors="replace")[-2000:]
            error.add_note(f"{name} said last: {last}")
            raise
        finally:
            await _end(process)


async def _end(process: Process) -> None:
    """Its workers are in its session, too."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except (ProcessLookupError, TimeoutError):
            continue


async def _answering(backend: Backend, path: str) -> None:
    async def answers() -> bool:
        try:
            async with backend.http.get(f"{backend.url}{path}") as answer:
                return answer.status == 200
        except aiohttp.ClientConnectionError:
            return False

    await until(answers, within_s=START_S)


def _free_port() -> int:
    """Neither program takes 0 for a port; between this and its start another one may take it."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
