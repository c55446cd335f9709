"""Which deployment holds what a tenant has stored, remembered in this process."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

MOST_OWNERS: Final = 10_000


class MemoryResponseOwners:
    """The most recently used owners; what is pushed out counts as unknown."""

    def __init__(self, limit: int = MOST_OWNERS) -> None:
        """`limit` is how many owners are remembered over all tenants."""
        self._limit = limit
        self._owners: OrderedDict[tuple[str, str], str] = OrderedDict()

    async def owner(self, tenant: str, stored_id: str) -> str | None:
        """The deployment's name; None where none is remembered for this tenant."""
        found = self._owners.get((tenant, stored_id))
        if found is not None:
            self._owners.move_to_end((tenant, stored_id))
        return found

    async def claim(self, tenant: str, stored_id: str, deployment: str) -> None:
        """Remember the owner."""
        self._owners[tenant, stored_id] = deployment
        self._owners.move_to_end((tenant, stored_id))
        if len(self._owners) > self._limit:
            self._owners.popitem(last=False)

    async def forget(self, tenant: str, stored_id: str) -> None:
        """Have it no owner any more."""
        self._owners.pop((tenant, stored_id), None)

    def forget_all(self, tenant: str) -> None:
        """Forget whose all that a tenant has stored is."""
        for key in [each for each in self._owners if each[0] == tenant]:
            del self._owners[key]
