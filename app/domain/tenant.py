"""Who is calling: the tenant behind a key, and what it may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tenant:
    """One team; `models` are keys of `models:`, None means all."""

    name: str
    models: frozenset[str] | None = None

    def may_use(self, model: str) -> bool:
        """Whether `model` is among those allowed."""
        return self.models is None or model in self.models


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated caller: a tenant, and the id of the key it showed."""

    tenant: Tenant
    key_id: str
