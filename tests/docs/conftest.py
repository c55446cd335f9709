"""What the tests of commands in pages share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.docs.house import House, house


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One for all pages that do not start their own."""
    with house(tmp_path_factory.mktemp("house")) as running:
        yield running
