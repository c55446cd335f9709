"""What the command line has in memory: what the command needs that was called, and no more."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import pytest

#: Runs `spillgate` with the arguments, and then tells the names of all that is loaded.
_CALLED: Final = """
import sys
from app.main import main
try:
    main()
except SystemExit:
    print(*sys.modules)
"""
#: Together more than a second.
NOT_FOR_A_KEY: Final = (
    "app.bootstrap.commands",
    "app.bootstrap.demo",
    "app.gateway",
    "fastapi",
    "httpx2",
    "redis",
    "rich",
    "structlog",
    "uvicorn",
)
#: Each takes a megabyte or more, and is for other commands or for a feature that is off.
NOT_FOR_A_GATEWAY: Final = (
    "aiohttp",
    "app.bootstrap.demo",
    "app.bootstrap.latency",
    "app.bootstrap.planning",
    "app.simulator.server",
    "attr",
    "cryptography",
    "greenlet",
    "httpx2",
    "numpy",
    "opentelemetry.sdk",
    "psutil",
    "pygments",
    "redisvl",
    "rich",
)


def _loaded(*arguments: str) -> frozenset[str]:
    command = [sys.executable, "-P", "-c", _CALLED, *arguments]
    called = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    return frozenset(called.stdout.split())


@pytest.fixture(scope="module")
def of_a_key() -> frozenset[str]:
    """After `key new`."""
    return _loaded("key", "new")


@pytest.fixture(scope="module")
def of_a_gateway() -> frozenset[str]:
    """After `serve`, where it reads its configuration: there is none."""
    return _loaded("serve", "--config", "/nowhere/spillgate.yaml")


@pytest.mark.parametrize("name", NOT_FOR_A_KEY)
def test_a_key_is_printed_without(of_a_key: frozenset[str], name: str) -> None:
    """Whoever imports it at the top makes everybody wait for it."""
    assert name not in of_a_key


@pytest.mark.parametrize("name", NOT_FOR_A_GATEWAY)
def test_a_gateway_does_without(of_a_gateway: frozenset[str], name: str) -> None:
    """For as long as it serves."""
    assert name not in of_a_gateway


def test_both_have_what_they_work_with(
    of_a_key: frozenset[str], of_a_gateway: frozenset[str]
) -> None:
    """Else the others prove nothing."""
    assert {"app.cli.key", "typer"} <= of_a_key
    served = {"app.gateway", "app.api.admin.application", "fastapi", "redis", "uvicorn"}
    assert served <= of_a_gateway
