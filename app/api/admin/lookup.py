"""Entries of the directory as a caller may see them, and names that must be known."""

from __future__ import annotations

from collections.abc import Iterable

from app.api.admin.roles import Caller, unknown_tenant
from app.api.admin.rules import RuleBody
from app.api.admin.services import AdminServices
from app.domain.identity.directory import AdminEntry, KeyEntry, TenantEntry
from app.errors import MalformedRequest, UnknownEntry


def tenant_of(services: AdminServices, caller: Caller, name: str) -> TenantEntry:
    """A tenant. Raises UnknownEntry, also for one that the caller does not see."""
    caller.require_sight(name)
    entry = services.store.current.tenants.get(name)
    if entry is None:
        raise unknown_tenant(name)
    return entry


def key_of(services: AdminServices, caller: Caller, key_id: str) -> KeyEntry:
    """A key. Raises UnknownEntry, also for one of a tenant that the caller does not see."""
    entry = services.store.current.keys.get(key_id)
    if entry is None or not caller.sees(entry.tenant):
        raise UnknownEntry(f"There is no key {key_id[:64]!r}.")
    return entry


def admin_of(services: AdminServices, admin_id: str) -> AdminEntry:
    """An administrator. Raises UnknownEntry."""
    entry = services.store.current.admins.get(admin_id)
    if entry is None:
        raise UnknownEntry(f"There is no administrator {admin_id[:64]!r}.")
    return entry


def check_models(
    services: AdminServices, names: Iterable[str] | None, within: Iterable[str] | None = None
) -> None:
    """Raise MalformedRequest for a name that is no model, or not one `within` these."""
    known = services.models() if services.models is not None else None
    allowed = set(within) if within is not None else None
    for name in names or ():
        if known is not None and name not in known:
            raise MalformedRequest(f"models: there is no model {name!r}.", param="models")
        if allowed is not None and name not in allowed:
            message = f"models: {name!r} is not among those of the tenant."
            raise MalformedRequest(message, param="models")


def check_rules(services: AdminServices, bodies: Iterable[RuleBody]) -> None:
    """Raise MalformedRequest for a limit on what is no model."""
    known = services.models() if services.models is not None else None
    for index, body in enumerate(bodies):
        if known is not None and body.model is not None and body.model not in known:
            place = f"limits.{index}.model"
            raise MalformedRequest(f"{place}: there is no model {body.model!r}.", param=place)
