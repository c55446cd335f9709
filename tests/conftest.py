"""What every test may ask for."""

from __future__ import annotations

import asyncio
import gc
import os
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries

# The same examples each time, and none is judged by how long a busy machine takes for it.
# `--hypothesis-profile=search` looks for others.
settings.register_profile(
    "search", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("repeatable", settings.get_profile("search"), derandomize=True)
settings.load_profile("repeatable")

#: How many new objects are looked at for garbage, and how often older ones are. With Python's own,
#: made for small programs, a fifth of the processor time went into looking at a million objects
#: that are there to the end.
_COLLECTIONS: Final = (20_000, 20, 10)


def pytest_collection_finish() -> None:
    """What tests are made of is no garbage; unclosed things are still found, some tests later."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTIONS)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis, one per test process: keep tests apart by unique key prefixes, never flush."""
    with _redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(scope="module")
def empty_redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of the module's own, for tests that read all that is in it."""
    with _redis(tmp_path_factory.mktemp("empty")) as url:
        yield url


@contextmanager
def _redis(directory: Path) -> Iterator[str]:
    if installed_binaries().server is None:
        pytest.skip("no embedded Redis server for this machine")
    with asyncio.Runner() as runner:
        server = embedded_redis(directory)
        running = runner.run(server.__aenter__())
        yield running.url
        runner.run(server.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def few_authorities(tmp_path_factory: pytest.TempPathFactory) -> str | None:
    """A file with one certificate; None where the system has no file of them.

    To read the usual hundreds takes 30 ms for each client.
    """
    found = ssl.create_default_context().get_ca_certs(binary_form=True)
    file: Path = tmp_path_factory.mktemp("authorities") / "one.pem"
    file.write_text("".join(map(ssl.DER_cert_to_PEM_cert, found[:1])), encoding="utf-8")
    return str(file) if found else None


@pytest.fixture
def has_policies() -> None:
    """Skip where no thread can be put behind others: but on Linux, and in some sandboxes."""
    with ThreadPoolExecutor(1) as thread:
        try:
            thread.submit(os.sched_setscheduler, 0, os.SCHED_BATCH, os.sched_param(0)).result()
        except (AttributeError, OSError):
            pytest.skip("this system has no such policies")
