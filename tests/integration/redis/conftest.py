"""What tests of Redis may ask for besides one server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.adapters.redis.embedded_binaries import installed_binaries
from tests.integration.redis.cluster import Cluster, running_cluster


@pytest.fixture(scope="session")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A real cluster of three, one per test process; who kills a server starts it again."""
    server = installed_binaries().server
    if server is None:
        pytest.skip("no embedded Redis server for this machine")
    with running_cluster(server, tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster
