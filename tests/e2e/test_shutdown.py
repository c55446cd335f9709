"""TERM drains: open streams end well, or honestly, and nothing is left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from openai import APIError, OpenAI

from app.cli.key import new_key
from tests.e2e.command import Spillgate, spillgate
from tests.integration.redis.cluster import free_port

KEY = new_key("test")
CHAT: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "Tell me a long story."}],
    "max_tokens": 400,
}


@contextmanager
def serving(directory: Path, **timeouts: float) -> Iterator[tuple[Spillgate, str]]:
    """`serve --simulate` with slow streams; yields the command and its base URL."""
    deployment = {
        "kind": "paygo",
        "endpoint": "https://x.openai.azure.com",
        "model": "gpt-4o",
        "auth": {"api_key": "k"},
    }
    config = {
        "deployments": {"paygo": deployment},
        "models": {"gpt-4o": {"tiers": [["paygo"]]}},
        "admin": {"key": "an-admin-key-of-tests"},
        "tenants": {"team": {"keys": [KEY]}},
        "simulator": {"ttft_ms": 0, "tpot_ms": 20},
        "timeouts": {"drain_lag_s": 0} | timeouts,
    }
    (directory / "spillgate.yaml").write_text(yaml.safe_dump(config))
    arguments = ["serve", "--config", "spillgate.yaml", "--simulate", "--port", "0"]
    with spillgate(*arguments, "--admin-port", "0", cwd=directory) as running:
        yield running, running.logged("serving, all deployments simulated")["data"]


@contextmanager
def stream(url: str) -> Iterator[Iterator[Any]]:
    """A chat stream whose first chunks have been read."""
    with (
        OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0, timeout=120) as client,
        client.chat.completions.create(**CHAT, stream=True) as chunks,
    ):
        following = iter(chunks)
        for _ in range(5):
            next(following)
        yield following


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_are_none_of_its_business(tmp_path: Path, closed: str) -> None:
    """As daemons are started: it serves, drains at TERM, and ends with code 0."""
    with serving(tmp_path) as (first, _):
        first.end()
    ports = [free_port(), free_port()]
    given = ["serve", "--config", "spillgate.yaml", "--simulate", "--workers", "2"]
    given += ["--port", str(ports[0]), "--admin-port", str(ports[1])]
    command = ["sh", "-c", f'exec "$0" "$@" {closed}', sys.executable, "-m", "app.main", *given]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _until_ready(f"http://127.0.0.1:{ports[0]}/readyz", process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    finally:
        process.kill()
        process.wait(120)


def _until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < until:
        with suppress(httpx2.TransportError):
            if httpx2.get(url).status_code == 200:
                return
        time.sleep(0.05)
    pytest.fail(f"never ready; exit code {process.returncode}")


def test_a_stream_under_way_is_completed(tmp_path: Path) -> None:
    """TERM while a stream runs: it ends by itself, then the process does, with code 0."""
    with serving(tmp_path, drain_s=30) as (running, url), stream(url) as chunks:
        running.process.send_signal(signal.SIGTERM)
        reasons = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
        assert reasons[-1] in {"stop", "length"}
        running.end()
        assert running.process.returncode == 0
        assert running.logged("request", outcome="finished")
        assert running.logged("draining", in_flight=1, drain_s=30)
        assert running.logged("drained", cut_off=0)
        assert running.logged("stopped")


def test_a_stream_longer_than_the_drain_ends_with_an_error(tmp_path: Path) -> None:
    """After the drain's limit the client is told, and the receipt says so."""
    with serving(tmp_path, drain_s=0.2) as (running, url), stream(url) as chunks:
        running.process.send_signal(signal.SIGTERM)
        with pytest.raises(APIError) as raised:
            list(chunks)
        assert raised.value.code == "server_shutting_down"
        assert running.end() < 20
        assert running.process.returncode == 0
        assert running.logged("request", outcome="shut_down")
        assert running.logged("drained", cut_off=1)


def test_readiness_says_no_before_connections_are_refused(tmp_path: Path) -> None:
    """During the lag a load balancer sees 503 at /readyz while requests are still served."""
    with serving(tmp_path, drain_lag_s=5, drain_s=5) as (running, url):
        with httpx2.Client(base_url=url, timeout=60) as client:
            assert client.get("/readyz").status_code == 200
            running.process.send_signal(signal.SIGTERM)
            while client.get("/readyz").status_code == 200:
                pass
            assert client.get("/healthz").status_code == 200
            models = client.get("/v1/models", headers={"api-key": KEY})
            assert models.status_code == 200
        assert running.end() < 30
        assert running.process.returncode == 0
