"""Owners of what is stored, in a dictionary."""

from __future__ import annotations

import asyncio

from app.errors import StoreUnavailable


class FakeResponseOwners:
    """Claims by tenant and id; while `lost`, none can be told and new ones are forgotten."""

    def __init__(self) -> None:
        self.claims: dict[tuple[str, str], str] = {}
        self.lost = False

    async def owner(self, tenant: str, stored_id: str) -> str | None:
        await asyncio.sleep(0)
        if self.lost:
            message = "Who holds this response cannot be told right now."
            raise StoreUnavailable(message)
        return self.claims.get((tenant, stored_id))

    async def claim(self, tenant: str, stored_id: str, deployment: str) -> None:
        await asyncio.sleep(0)
        if not self.lost:
            self.claims[tenant, stored_id] = deployment

    async def forget(self, tenant: str, stored_id: str) -> None:
        await asyncio.sleep(0)
        if not self.lost:
            self.claims.pop((tenant, stored_id), None)

    def __repr__(self) -> str:
        return f"<FakeResponseOwners {self.claims}>"
