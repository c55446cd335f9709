"""A running `spillgate serve` takes a changed file, whole or not at all."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from app.adapters.redis.embedded_binaries import installed_binaries
from app.cli.key import new_key
from tests.e2e.command import DEADLINE_S, Spillgate, spillgate

pytestmark = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)
KEY = new_key("test")
OLD, NEW = "the-first-admin-key", "another-admin-key"
RELOADED = "config reloaded"


def config(admin_key: str = OLD, **sections: Any) -> str:
    deployment = {
        "kind": "paygo",
        "endpoint": "https://x.openai.azure.com",
        "model": "gpt-4o",
        "auth": {"api_key": "k"},
    }
    return yaml.safe_dump(
        {
            "deployments": {"paygo": deployment},
            "models": {"gpt-4o": {"tiers": [["paygo"]]}},
            "admin": {"key": admin_key},
            "tenants": {"team": {"keys": [KEY]}},
            "timeouts": {"drain_lag_s": 0, "drain_s": 1},
        }
        | sections
    )


@dataclass(frozen=True, slots=True)
class Served:
    """A gateway on a config file, started with ports of its own."""

    command: Spillgate
    data: str
    admin: str

    def status(self, admin_key: str) -> int:
        """What the admin API answers to a key."""
        headers = {"authorization": f"Bearer {admin_key}"}
        return httpx2.get(
            f"{self.admin}/admin/v1/deployments", headers=headers, timeout=60
        ).status_code

    def status_of_body(self, length: int) -> int:
        """What a body of so many bytes, and no sense, is answered with."""
        url = f"{self.data}/v1/chat/completions"
        return httpx2.post(
            url, headers={"api-key": KEY}, content=b" " * length, timeout=60
        ).status_code

    def said(self, event: str) -> list[dict[str, Any]]:
        """The log's lines of an event."""
        lines = [line for line in self.command.lines if line.startswith("{")]
        return [each for each in map(json.loads, lines) if each["event"] == event]

    def wait_for(self, event: str, times: int = 1) -> list[dict[str, Any]]:
        """Its lines, once there are so many."""
        until = time.monotonic() + DEADLINE_S
        while len(said := self.said(event)) < times:
            assert time.monotonic() < until, self.command.output
            time.sleep(0.02)
        return said


@contextmanager
def serving(directory: Path, file: str = "spillgate.yaml", *more: str) -> Iterator[Served]:
    arguments = ["serve", "--config", file, "--port", "0", "--admin-port", "0", *more]
    with spillgate(*arguments, cwd=directory) as running:
        said = running.logged("serving")
        served = Served(running, said["data"], said["admin"])
        yield served
        running.end()
        assert running.process.returncode == 0, running.output


def test_a_changed_file_is_in_force_as_a_whole(tmp_path: Path) -> None:
    """Keys and limits; what cannot be is named, and the ports of the command line are no change."""
    path = tmp_path / "spillgate.yaml"
    path.write_text(config())
    with serving(tmp_path) as served:
        assert (served.status(OLD), served.status(NEW)) == (200, 401)
        assert served.status_of_body(3000) == 400

        timeouts = {"drain_lag_s": 0, "drain_s": 1, "header_s": 4}
        path.write_text(config(NEW, limits={"max_body_bytes": 2048}, timeouts=timeouts))
        served.wait_for(RELOADED)
        assert (served.status(OLD), served.status(NEW)) == (401, 200)
        assert served.status_of_body(3000) == 413
        (waiting,) = served.wait_for("config waits for the next start")
        assert waiting["settings"] == ["timeouts.header_s"]

        path.write_text(config(OLD))
        served.wait_for(RELOADED, 2)
        assert (served.status(OLD), served.status(NEW)) == (200, 401)
        assert served.status_of_body(3000) == 400
        assert len(served.said("config waits for the next start")) == 1


def test_a_swapped_config_map_is_in_force(tmp_path: Path) -> None:
    """As Kubernetes mounts it: the file is a link through a directory that is a link."""

    def mount(version: str, text: str) -> None:
        (tmp_path / "etc" / version).mkdir(parents=True)
        (tmp_path / "etc" / version / "spillgate.yaml").write_text(text)
        (tmp_path / "etc" / "..data_tmp").symlink_to(version)
        (tmp_path / "etc" / "..data_tmp").rename(tmp_path / "etc" / "..data")

    mount("..2026_1", config())
    (tmp_path / "etc" / "spillgate.yaml").symlink_to("..data/spillgate.yaml")
    with serving(tmp_path, "etc/spillgate.yaml") as served:
        mount("..2026_2", config(NEW))
        served.wait_for(RELOADED)
        assert (served.status(OLD), served.status(NEW)) == (401, 200)


def test_a_mistake_changes_nothing_and_a_hangup_reads_again(tmp_path: Path) -> None:
    """The last good configuration serves on; SIGHUP reloads even what has not changed."""
    path = tmp_path / "spillgate.yaml"
    path.write_text(config())
    with serving(tmp_path) as served:
        path.write_text(config(NEW, limits={"max_bodies": 1}))
        (refused,) = served.wait_for("config not reloaded")
        assert "limits.max_bodies" in refused["problems"][0]
        assert served.status(OLD) == 200

        served.command.process.send_signal(signal.SIGHUP)
        served.wait_for("config not reloaded", 2)
        assert served.status(OLD) == 200

        path.write_text(config(NEW))
        served.wait_for(RELOADED)
        served.command.process.send_signal(signal.SIGHUP)
        served.wait_for(RELOADED, 2)
        assert served.status(NEW) == 200


def test_a_simulated_gateway_reloads_too(tmp_path: Path) -> None:
    """SIGHUP does not end it; other deployments than it began with are refused and named."""
    path = tmp_path / "spillgate.yaml"
    path.write_text(config())
    with serving(tmp_path, "spillgate.yaml", "--simulate") as served:
        served.command.process.send_signal(signal.SIGHUP)
        served.wait_for(RELOADED)
        path.write_text(config(NEW))
        served.wait_for(RELOADED, 2)
        assert (served.status(OLD), served.status(NEW)) == (401, 200)
        chat = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
        url = f"{served.data}/v1/chat/completions"
        assert httpx2.post(url, headers={"api-key": KEY}, json=chat, timeout=60).status_code == 200

        path.write_text(config(OLD, simulator={"ttft_ms": 1}))
        (refused,) = served.wait_for("config not reloaded")
        assert refused["problems"][0].startswith("deployments, simulator:")
        assert served.status(NEW) == 200
