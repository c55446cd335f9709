"""Which deployment holds a tenant's stored response, remembered in this process."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

MAX_RESPONSES: Final = 10_000


class MemoryResponseOwners:
    """The most recently used owners; what is pushed out counts as unknown."""

    def __init__(self, limit: int = MAX_RESPONSES) -> None:
        """`limit` is how many responses are remembered over all tenants."""
        self._limit = limit
        self._owners: OrderedDict[tuple[str, str], str] = OrderedDict()

    async def owner(self, tenant: str, response_id: str) -> str | None:
        """The deployment's name; None where none is remembered for this tenant."""
        found = self._owners.get((tenant, response_id))
        if found is not None:
            self._owners.move_to_end((tenant, response_id))
        return found

    async def claim(self, tenant: str, response_id: str, deployment: str) -> None:
        """Remember the owner."""
        self._owners[tenant, response_id] = deployment
        self._owners.move_to_end((tenant, response_id))
        if len(self._owners) > self._limit:
            self._owners.popitem(last=False)

    async def forget(self, tenant: str, response_id: str) -> None:
        """Have a response no owner any more."""
        self._owners.pop((tenant, response_id), None)

    def forget_all(self, tenant: str) -> None:
        """Have none of a tenant's responses an owner any more."""
        for key in [each for each in self._owners if each[0] == tenant]:
            del self._owners[key]
