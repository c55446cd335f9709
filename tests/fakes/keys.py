"""Keys in a dictionary."""

from __future__ import annotations

from app.domain.identity.tenant import Principal, Tenant


class FakeKeyDirectory:
    """Principals by their key."""

    def __init__(self, *tenants: Tenant) -> None:
        """Each tenant's key is `key-of-` and its name, its id `id-of-` and its name."""
        self._principals = {
            f"key-of-{tenant.name}": Principal(tenant, f"id-of-{tenant.name}") for tenant in tenants
        }

    def find(self, key: str) -> Principal | None:
        return self._principals.get(key)

    def __repr__(self) -> str:
        return f"<FakeKeyDirectory of {sorted(self._principals)}>"
