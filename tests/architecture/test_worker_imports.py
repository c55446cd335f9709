"""What a worker has in memory before its first request: what it serves with, and no more."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import pytest

#: As `app.bootstrap.worker_process` begins, and then the names of all that is loaded.
_BEGUN: Final = """
import sys
from app.bootstrap.lean import UNUSED, without
with without(*UNUSED):
    import app.bootstrap.worker
print(*sys.modules)
"""
#: Each takes a megabyte or more, and is for another process or for a feature that is off.
HEAVY: Final = (
    "aiohttp",
    "app.adapters.archive.archive",
    "app.adapters.redis.semantic_index",
    "app.api.admin.application",
    "app.cli.commands",
    "app.simulator.server",
    "azure",
    "cryptography",
    "fastapi",
    "httpx2",
    "jinja2",
    "numpy",
    "opentelemetry",
    "prometheus_client",
    "pyarrow",
    "pygments",
    "redisvl",
    "rich",
    "sqlite3",
    "starlette",
    "typer",
    "uvicorn",
    "watchfiles",
)


@pytest.fixture(scope="module")
def loaded() -> frozenset[str]:
    """Modules of an interpreter that is about to be a worker."""
    begun = subprocess.run(
        [sys.executable, "-P", "-c", _BEGUN], stdout=subprocess.PIPE, check=True, text=True
    )
    return frozenset(begun.stdout.split())


@pytest.mark.parametrize("name", HEAVY)
def test_a_worker_does_without(loaded: frozenset[str], name: str) -> None:
    """Whoever imports it where everybody comes by makes each worker larger."""
    # What is kept out stands there as None while it is, and is taken away again.
    assert name not in loaded


def test_a_worker_has_what_it_serves_with(loaded: frozenset[str]) -> None:
    """Else the others prove nothing."""
    assert {"app.gateway", "app.api.data_plane", "redis", "structlog", "uvloop"} <= loaded
