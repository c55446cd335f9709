from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest

from app.domain.identity.directory import Role
from tests.fakes.admin import ADMIN_KEYS, AdminHouse


@pytest.fixture
def house() -> AdminHouse:
    """Two tenants, and an administrator of each role."""
    return AdminHouse()


@pytest.fixture
async def owner(house: AdminHouse) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with the configured owner key."""
    async with house.client() as client:
        yield client


@pytest.fixture
async def tenant_admin(house: AdminHouse) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the administrator of `search`."""
    async with house.client(ADMIN_KEYS[Role.TENANT_ADMIN]) as client:
        yield client
