"""TERM drains: open streams end well, or honestly, and nothing is left behind."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from openai import APIError, OpenAI

from app.cli.key import new_key
from tests.e2e.command import Spillgate, spillgate

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
