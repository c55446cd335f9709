from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest

from app.domain.identity.directory import Role
from tests.fakes.admin import ADMIN_KEYS, AdminHouse, StandingApplication


@pytest.fixture(scope="module")
def standing() -> StandingApplication:
    """What all houses of a module move into."""
    return StandingApplication()


@pytest.fixture
def house(standing: StandingApplication) -> AdminHouse:
    """Two tenants, and an administrator of each role."""
    return standing.move_in(AdminHouse())


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
