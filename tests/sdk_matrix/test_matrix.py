"""The oldest SDK and the one that is installed; `make sdk-matrix` runs all versions, and Node."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.adapters.redis.embedded_binaries import installed_binaries
from tests.sdk_matrix.environments import NotInstalled, python_with, run_python
from tests.sdk_matrix.operations import OPERATIONS
from tests.sdk_matrix.report import failures
from tests.sdk_matrix.run import cells_of
from tests.sdk_matrix.servers import Servers, running

INSTALLED = "the installed one"
OLDEST = "1.109.1"

# Both tests in one process, on one pair of servers, where tests are dealt out by group.
pytestmark = [pytest.mark.xdist_group("sdk_matrix"), pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A simulator and a gateway on it, as processes."""
    if installed_binaries().server is None:
        pytest.skip("no embedded Redis server for this machine")
    with running(tmp_path_factory.mktemp("servers")) as both:
        yield both


@pytest.mark.parametrize("version", [INSTALLED, OLDEST])
def test_the_sdk_cannot_tell(version: str, servers: Servers) -> None:
    """Every call through the gateway gives what the same call straight at the upstream gives."""
    report = json.loads(run_python(_python(version), servers.plan().dumped()))
    cells = cells_of(report)
    assert failures(cells) == []
    assert {cell.operation for cell in cells} == OPERATIONS.keys()
    assert len(cells) == 5 * 2 * len(OPERATIONS)


def _python(version: str) -> Path:
    if version == INSTALLED:
        return Path(sys.executable)
    try:
        return python_with(version)
    except NotInstalled as error:
        if "CI" in os.environ:
            raise
        pytest.skip(f"openai {version} could not be installed: {error}")
