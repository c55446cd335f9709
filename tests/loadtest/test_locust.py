"""Locust's statistics of a gateway are what its upstream saw."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from app.adapters.logs import configure_logs
from loadtest.run import LOCUST_PYTHON, STATISTICS, locust_command
from loadtest.verdict import read_statistics
from tests.e2e.stack import ptu_and_paygo, stack

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]


def config(suffix: str) -> dict[str, Any]:
    found = ptu_and_paygo(suffix, ptus=20_000)
    auth = {"api_key": "k"}
    embeds = {"kind": "paygo", "model": "text-embedding-3-small", "tpm": 100_000_000, "auth": auth}
    name = f"embeddings-{suffix}"
    found["deployments"][name] = embeds | {"endpoint": "https://x.openai.azure.com"}
    found["models"]["text-embedding-3-small"] = {"tiers": [[name]]}
    return found


async def test_statistics_agree_with_the_upstreams_ledger(redis_url: str, tmp_path: Path) -> None:
    """Every request, stream and token of 15 seconds, and times that are those of the simulator."""
    if not LOCUST_PYTHON.exists():
        pytest.skip("Locust is not installed: `make load` does")
    configure_logs("critical")
    async with stack(redis_url, config, ttft_ms=60, tpot_ms=10) as running:
        options = ["--users", "12", "--spawn-rate", "12", "--run-time", "15s"]
        command = locust_command(options, running.process.data_url, tmp_path)
        environment = os.environ | {"PYTHONPATH": str(ROOT), "LOAD_API_KEY": running.key}
        locust = await asyncio.create_subprocess_exec(
            *command, env=environment, stderr=asyncio.subprocess.STDOUT, stdout=-1
        )
        said, _ = await asyncio.wait_for(locust.communicate(), 120)
        assert locust.returncode == 0, said.decode()
        served = await running.served()
    rows = json.loads((tmp_path / STATISTICS).read_text())
    counted = {(row["method"], row["name"]): row["num_requests"] for row in rows}
    asked = {name: count for (kind, name), count in counted.items() if kind == "POST"}
    first = {name: count for (kind, name), count in counted.items() if kind == "TTFT"}
    whole = {"embeddings", "agent: calls a tool"}

    def is_stream(row: dict[str, Any]) -> bool:
        return row["method"] == "POST" and row["name"] not in whole

    assert {row["num_failures"] for row in rows} == {0}
    assert asked.keys() >= {*whole, "chat", "agent: answers", "repeated (bypass)"}
    assert {row["outcome"] for row in served} == {"complete"}
    assert sum(asked.values()) == len(served)
    streams = [row for row in served if row["stream"]]
    assert sum(first.values()) == len(streams)
    assert first == {name: count for name, count in asked.items() if name not in whole}
    tokens = sum(row["total_content_length"] for row in rows if is_stream(row))
    assert tokens == sum(row["output_tokens"] for row in streams)
    # Medians of chats: a busy machine adds, it never takes away.
    times = {row.name: row.times["median"] for row in read_statistics(json.dumps(rows))}
    assert 0.7 < times["TTFT chat"] / 60 < 5
    assert 0.7 < times["TPOT chat"] / 10 < 3
    assert (tmp_path / "report.html").stat().st_size > 10_000


LIMITS = """
["POST *"]
failures = 0.01
["POST flood (refused)"]
at_least = 1
["POST flood"]
failures = 0
["POST polite"]
failures = 0
at_least = 5
["POST (brown-out)"]
failures = 0
at_least = 3
["POST repeated (exact)"]
at_least = 1
"""


async def test_a_flood_and_a_brown_out_cost_nobody_else_an_answer(tmp_path: Path) -> None:
    """On the demo that `make load` starts; it is gone afterwards, as it is after a TERM."""
    if not LOCUST_PYTHON.exists():
        pytest.skip("Locust is not installed: `make load` does")
    (tmp_path / "limits.toml").write_text(LIMITS)
    where = ["--report", str(tmp_path), "--limits", str(tmp_path / "limits.toml")]
    # So many users that the flood meets its limit, 120 requests a minute, in that time.
    load = await _load(*where, "--run-time", "25s", "--users", "40", "--spawn-rate", "40")
    said, _ = await asyncio.wait_for(load.communicate(), 170)
    assert load.returncode == 0, said.decode()
    assert "FAIL" not in said.decode()

    stopped = await _load(*where)
    assert stopped.stdout is not None
    async with asyncio.timeout(120):
        while b"All users spawned" not in await stopped.stdout.readline():
            assert not stopped.stdout.at_eof()
        stopped.terminate()
        # The pipe's end: nobody that was started holds it any more.
        await stopped.communicate()
    assert stopped.returncode == 2


async def _load(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadtest.run", *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
