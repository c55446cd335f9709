from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.fakes.console import Browser, ConsoleHouse


@pytest.fixture
def house() -> ConsoleHouse:
    """The console over two tenants, and an administrator of each role."""
    return ConsoleHouse()


@pytest.fixture
async def owner(house: ConsoleHouse) -> AsyncIterator[Browser]:
    """A browser with the configured owner signed in."""
    async with house.browser() as browser:
        yield browser
