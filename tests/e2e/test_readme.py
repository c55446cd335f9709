"""What the README prints works as printed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.adapters.redis.embedded_binaries import installed_binaries
from tests.e2e.command import Spillgate

README = (Path(__file__).parents[2] / "README.md").read_text()

pytestmark = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)


def _block(language: str, section: str) -> str:
    """The first block of a language in a section."""
    text = README.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    return text.split(f"```{language}\n", 1)[1].split("```", 1)[0]


def _checkout(directory: Path) -> dict[str, str]:
    """The environment of a directory that looks like a checkout in which `make setup` was run."""
    (directory / "spillgate.yaml").write_text(_block("yaml", "Use it"))
    (directory / ".venv").symlink_to(sys.prefix)
    (directory / "make").write_text("#!/bin/sh\n")
    (directory / "make").chmod(0o755)
    free_ports = {"SPILLGATE__LISTEN__PORT": "0", "SPILLGATE__LISTEN__ADMIN_PORT": "0"}
    plain = {"HOME": str(directory), "PATH": f"{directory}:{os.defpath}"}
    return plain | free_ports


def test_that_the_steps_end_in_a_gateway_that_serves(tmp_path: Path) -> None:
    """With nothing on the path and no variable that the steps do not set."""
    steps = _block("sh", "Use it").replace("spillgate serve", "exec spillgate serve")
    process = subprocess.Popen(
        ["bash", "-ec", steps],
        cwd=tmp_path,
        env=_checkout(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        running = Spillgate(process)
        try:
            running.wait_for("serving, all deployments simulated")
        finally:
            assert running.end(signal.SIGTERM) < 10
    assert process.returncode == 0, running.output
    assert "spillgate.yaml: ok: 2 deployments, 1 model, 1 tenant\n" in running.output
    assert "warning:" not in running.output


def test_that_the_config_is_written(tmp_path: Path) -> None:
    """By the line that is printed, and without a mistake once its variables are set."""
    environment = {"HOME": str(tmp_path), "PATH": f"{Path(sys.prefix) / 'bin'}:{os.defpath}"}
    steps = _block("sh", "Have the config written") + "spillgate check --config spillgate.yaml\n"
    keys = "export SPILLGATE_ADMIN_KEY=$(spillgate key new) FIRST_TEAM_KEY=$(spillgate key new)\n"
    ran = subprocess.run(
        ["bash", "-ec", keys + steps],
        cwd=tmp_path,
        env=environment | {"AZURE_OPENAI_API_KEY": "any"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "spillgate.yaml: ok: 2 deployments, 1 model, 1 tenant\n" in ran.stdout, ran.stderr
