"""What tests of Redis may ask for besides one server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.adapters.redis.embedded_binaries import installed_binaries
from tests.integration.redis.cluster import Cluster, running_cluster
from tests.integration.redis.frozen import FrozenAtWill, frozen_at_will
from tests.integration.redis.tenant_account import Account, opened


@pytest.fixture(scope="session")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A real cluster of three, one per test process; who kills a server starts it again."""
    server = installed_binaries().server
    if server is None:
        pytest.skip("no embedded Redis server for this machine")
    with running_cluster(server, tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(params=["server", pytest.param("cluster", marks=pytest.mark.long)])
def store(request: pytest.FixtureRequest) -> tuple[str, bool]:
    """A server, and a cluster: every test of an account is run on both."""
    if request.param == "server":
        return request.getfixturevalue("redis_url"), False
    return request.getfixturevalue("redis_cluster").url, True


@pytest.fixture
async def account(store: tuple[str, bool]) -> AsyncIterator[Account]:
    """A seeded account of a tenant of its own."""
    url, cluster = store
    async with opened(url, cluster=cluster) as one:
        yield one


@pytest.fixture
async def own_redis(tmp_path: Path) -> AsyncIterator[FrozenAtWill]:
    """A server of the test's own, which it may stop and let go on."""
    async with frozen_at_will(tmp_path) as server:
        yield server
