"""Whoever reads a log may stop: requests are served, and the gateway ends when it is told to."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from app.cli.key import new_key
from tests.e2e.command import DEADLINE_S

KEY = new_key("test")
#: Some hundred lines, of which a pipe of a page holds six.
REQUESTS = 150


@contextmanager
def serving(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, str]]:
    """The command with a narrow pipe for its log, read until it serves; the pipe, and its URL."""
    config = {
        "admin": {"key": "an-admin-key-of-tests"},
        "deployments": {
            "east": {
                "kind": "paygo",
                "endpoint": "https://x.openai.azure.com",
                "model": "gpt-4o",
                "auth": {"api_key": "k"},
            }
        },
        "models": {"gpt-4o": {"tiers": [["east"]]}},
        "tenants": {"search": {"keys": [KEY]}},
        "timeouts": {"drain_lag_s": 0, "drain_s": 1},
    }
    (folder / "spillgate.yaml").write_text(json.dumps(config))
    out, into = os.pipe()
    fcntl.fcntl(into, fcntl.F_SETPIPE_SZ, 4096)
    arguments = ["serve", "--config", "spillgate.yaml", "--port", "0", "--admin-port", "0"]
    command = [sys.executable, "-m", "app.main", *arguments]
    with subprocess.Popen(command, cwd=folder, stderr=into) as process:
        os.close(into)
        try:
            (said,) = [line for line in lines(out, '"serving"') if line["event"] == "serving"]
            yield process, out, str(said["data"])
        finally:
            process.kill()
            os.close(out)


def lines(pipe: int, until: str, times: int = 1) -> list[dict[str, object]]:
    """Lines of the log, up to so many that hold a text."""
    read = ""
    while read.count(until) < times or not read.endswith("\n"):
        read += os.read(pipe, 65536).decode()
    return [json.loads(line) for line in read.splitlines() if line.startswith("{")]


def refused(url: str) -> None:
    """Requests that each have their line: the tenant's own mistakes."""
    with httpx2.Client(timeout=DEADLINE_S) as client:
        for _ in range(REQUESTS):
            answer = client.post(f"{url}/v1/chat/completions", headers={"api-key": KEY})
            assert answer.status_code == 400


def test_a_log_that_nobody_reads_stops_no_request(tmp_path: Path) -> None:
    """And once somebody reads again, every line is there."""
    with serving(tmp_path) as (process, pipe, url):
        refused(url)
        read = lines(pipe, '"event":"request"', REQUESTS)
        assert [each["status"] for each in read if each["event"] == "request"] == [400] * REQUESTS

        refused(url)
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0
