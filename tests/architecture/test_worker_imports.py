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
#: And as `app.bootstrap.tracing` goes on, where spans are sent.
_TRACED: Final = f"""
from app.bootstrap.lean import load_libraries
{_BEGUN.replace("print(*sys.modules)", "")}
load_libraries("opentelemetry.sdk.resources")
import app.adapters.tracing.exporters
import app.adapters.tracing.request_tracing
print(*sys.modules)
"""
#: Each is for another process or for a feature that is off, and most take a megabyte or more.
HEAVY: Final = (
    "aiohttp",
    "app.adapters.archive.archive",
    "app.adapters.embedder.local",
    "app.adapters.redis.embedded",
    "app.adapters.redis.semantic_index",
    "app.api.admin.application",
    "app.api.admin.deployments",
    "app.bootstrap.by_meaning",
    "app.bootstrap.derived",
    "app.cli.commands",
    "app.domain.cache.guards",
    "app.simulator.server",
    "azure",
    "cryptography",
    "fastapi",
    "greenlet",
    "httpx2",
    "jinja2",
    "numpy",
    "opentelemetry",
    "orjson",
    "prometheus_client",
    "pyarrow",
    "pygments",
    "redisvl",
    "rich",
    "sqlite3",
    "starlette",
    "statistics",
    "typer",
    "uvicorn",
    "watchfiles",
)


@pytest.fixture(scope="module")
def loaded() -> frozenset[str]:
    """Modules of an interpreter that is about to be a worker."""
    return _loaded(_BEGUN)


def _loaded(script: str) -> frozenset[str]:
    command = [sys.executable, "-P", "-c", script]
    begun = subprocess.run(command, capture_output=True, check=True, text=True)
    assert not begun.stderr, "nor does any library complain"
    return frozenset(begun.stdout.split())


@pytest.mark.parametrize("name", HEAVY)
def test_a_worker_does_without(loaded: frozenset[str], name: str) -> None:
    """Whoever imports it where everybody comes by makes each worker larger."""
    # What is kept out stands there as None while it is, and is taken away again.
    assert name not in loaded


def test_a_worker_has_what_it_serves_with(loaded: frozenset[str]) -> None:
    """Else the others prove nothing."""
    assert {"app.gateway", "app.api.data_plane", "redis", "structlog", "uvloop"} <= loaded


def test_one_that_sends_spans_does_without_libraries_of_the_sdk() -> None:
    """Two megabytes: another client for HTTP, and a machine that nobody asks about."""
    loaded = _loaded(_TRACED)
    assert {"http.client", "opentelemetry.sdk.trace"} <= loaded
    assert loaded.isdisjoint({"requests", "urllib3", "psutil"})
