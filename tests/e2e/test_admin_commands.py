"""The admin commands against a gateway that serves."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from app.adapters.redis.embedded_binaries import installed_binaries
from app.cli.session import Surroundings
from tests.e2e.command import DEADLINE_S, Spillgate, spillgate
from tests.fakes.command_line import Result, run_with

pytestmark = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo and the commands for it."""

    environment: dict[str, str]

    def run(self, *arguments: str, key: str | None = None) -> Result:
        """Run a command, with the demo's key unless another is given."""
        own = {"SPILLGATE_ADMIN_KEY": key} if key else {}
        return run_with(Surroundings(lambda: self.environment | own), *arguments)

    def done(self, *arguments: str, key: str | None = None) -> str:
        """What a command prints that must work."""
        result = self.run(*arguments, key=key)
        assert result.exit_code == 0, result.err
        return result.out

    def json(self, *arguments: str) -> Any:
        """The `data` that it answers."""
        return json.loads(self.done(*arguments, "--json"))["data"]

    def ask(self, tokens: int) -> None:
        """One request of the demo's tenant."""
        url, key = self.environment["OPENAI_BASE_URL"], self.environment["OPENAI_API_KEY"]
        message = {"role": "user", "content": "Hi"}
        body = {"model": "gpt-4o", "max_tokens": tokens, "messages": [message]}
        headers = {"authorization": f"Bearer {key}"}
        answer = httpx2.post(f"{url}/chat/completions", json=body, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One demo, with three requests in its ledger."""
    cwd = tmp_path_factory.mktemp("demo")
    with spillgate("demo", "--port", "0", "--admin-port", "0", "--no-traffic", cwd=cwd) as running:
        running.wait_for("_sim/ledger")
        demo = Demo(_exports(running))
        for tokens in (8, 16, 24):
            demo.ask(tokens)
        until = time.monotonic() + DEADLINE_S
        while len(demo.json("usage", "ledger")) < 3:
            assert time.monotonic() < until, "the archive has not got the rows"
            time.sleep(0.05)
        yield demo


def _exports(running: Spillgate) -> dict[str, str]:
    return dict(re.findall(r"^export (\w+)=(.*)$", running.output, re.MULTILINE))


def test_a_limit_is_simulated_on_what_the_ledger_holds(demo: Demo) -> None:
    """Two of three requests in a minute, and a part of a cent: nothing is changed."""
    (outcome,) = demo.json("limit", "simulate", "demo", "rpm", "2", "--since", "1h")["by_limit"]
    assert (outcome["over"], outcome["peak"]) == (1, 3)
    shown = demo.done("limit", "simulate", "demo", "usd_per_day", "0.00001", "--since", "1h")
    assert re.search(r"^usd_per_day +\$0\.00001 .* 3 +3 ", shown, re.MULTILINE)
    refused = demo.run("limit", "simulate", "nobody", "rpm", "2")
    assert (refused.exit_code, refused.err) == (1, "spillgate: There is no tenant 'nobody'.\n")
    assert demo.json("limit", "list", "demo")["limits"] == []


def test_usage_is_filtered_by_what_the_options_name(demo: Demo) -> None:
    """Each filter lets through what has its value, and nothing else."""
    (key,) = demo.json("key", "list", "demo")
    for option, value in (
        ("--key", key["id"]),
        ("--model", "gpt-4o"),
        ("--deployment", "ptu-east"),
        ("--where", "spill=none"),
        ("--where", "tag:team="),
    ):
        (group,) = demo.json("usage", "--by", "tenant", option, value)
        assert group["requests"] == 3
        assert len(demo.json("usage", "ledger", option, value)) == 3
    assert demo.json("usage", "--by", "tenant", "--deployment", "paygo-east") == []
    assert demo.json("usage", "ledger", "--where", "tag:team=a") == []


def test_limits_are_set_and_all_removed(demo: Demo) -> None:
    """Of the tenant and of its models."""
    demo.done("limit", "set", "demo", "rpm", "600")
    demo.done("limit", "set", "demo", "usd_per_day", "0.5", "--model", "gpt-4o")
    assert len(demo.json("limit", "list", "demo")["limits"]) == 2
    demo.done("limit", "unset", "demo", "--all", "--yes")
    assert demo.json("limit", "list", "demo")["limits"] == []


def test_an_administrator_is_made_rotated_and_ended(demo: Demo) -> None:
    """A key that is printed works; the one that it replaces does not, once the overlap is over."""
    first = demo.done("admin", "create", "viewer", "--name", "Ada").strip()
    refused = demo.run("tenant", "disable", "demo", key=first)
    assert (refused.exit_code, "The role viewer does not allow" in refused.err) == (1, True)
    (entry,) = demo.json("admin", "list")
    second = demo.done("admin", "rotate", entry["id"], "--overlap", "0").strip()
    demo.done("tenant", "list", key=second)
    assert "does not accept the key" in demo.run("tenant", "list", key=first).err
    for each in demo.json("admin", "list"):
        demo.done("admin", "delete", each["id"], "--yes")
    assert demo.run("tenant", "list", key=second).exit_code == 1
