"""Portkey's open gateway: routing by headers, no keys, no limits."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from loadtest.bench import environments
from loadtest.bench.contender import Bench, Contender, Running
from loadtest.bench.lane_names import CLOSED, FEW_STREAMS, ONE
from loadtest.bench.payloads import STREAM_PREFIX
from loadtest.bench.process import Program, accepts, free_port, running

_SCRIPT: Final = "build/start-server.js"
_ENVIRONMENT: Final = {"NODE_ENV": "production"}


def _headers(port: int, prefix: str = "") -> dict[str, str]:
    return {
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"http://127.0.0.1:{port}{prefix}/v1",
        "authorization": "Bearer k",
    }


@contextmanager
def _start(bench: Bench) -> Iterator[Running]:
    port, node = free_port(), shutil.which("node") or "node"
    script = str(environments.portkey() / _SCRIPT)
    program = Program(
        "Portkey",
        [node, script, "--headless", f"--port={port}"],
        [bench.cores.gateway],
        bench.place / "portkey.log",
        environment=_ENVIRONMENT,
        directory=bench.place,
    )
    with running(program, accepts(port)) as process:
        yield Running(
            port,
            pids=[process.pid],
            headers=_headers(bench.answers_port),
            stream_headers=_headers(bench.streams_port, STREAM_PREFIX),
        )


PORTKEY: Final = Contender(
    name="portkey",
    title="Portkey",
    does="routing by headers; no keys, no limits",
    start=_start,
    prepare=environments.portkey,
    published=lambda: {
        "command": f"NODE_ENV=production node {_SCRIPT} --headless --port=8787",
        "request headers": "\n".join(f"{k}: {v}" for k, v in _headers(9001).items()),
    },
    version=lambda _checkout: environments.portkey_version(),
    lanes=frozenset({CLOSED, ONE, FEW_STREAMS}),
)
