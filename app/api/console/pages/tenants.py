"""Tenants: found, made, read, changed and deleted."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from starlette.responses import Response

from app.api.admin.lookup import tenant_of
from app.api.admin.paging import part_of
from app.api.admin.roles import Action
from app.api.admin.tenants import NewTenant, TenantChange, TenantView
from app.api.console.frame import Console
from app.api.console.tenant_form import body_of
from app.api.console.use import fullest_of, uses_of
from app.api.console.visit import Visit, in_force, segment, version_in
from app.domain.identity.directory import KeyEntry, TenantEntry
from app.domain.identity.tenant import LossPolicy
from app.domain.quota.limit import RULE_NAMES
from app.errors import MalformedRequest

_AT_ONCE: Final = 50
_KEYS_SHOWN: Final = 20


def add_tenant_pages(console: Console) -> None:
    """Register them."""
    _add_reading(console)
    _add_creation(console)
    _add_changes(console)


def _add_reading(console: Console) -> None:
    @console.page("/tenants", Action.READ_TENANTS)
    async def tenants(visit: Visit) -> Response:
        found = _found(visit, visit.query("q"))
        part, following = part_of(found, visit.part(_AT_ONCE))
        context = {
            "query": visit.query("q"),
            "count": len(found),
            "tenants": part,
            "keys": Counter(key.tenant for key in visit.directory.keys.values()),
            "uses": await fullest_of(visit.services, part),
            "following": following,
        }
        return visit.show("tenants.html", title="Tenants", **context)

    @console.page("/tenants/{name}", Action.READ_TENANTS)
    async def tenant(visit: Visit) -> Response:
        entry = tenant_of(visit.services.admin, visit.caller, visit.path("name"))
        return visit.show("tenant.html", title=entry.name, **await _details(visit, entry))


def _add_creation(console: Console) -> None:
    @console.page("/new-tenant", Action.WRITE_TENANTS)
    async def new_tenant(visit: Visit) -> Response:
        return visit.show("new_tenant.html", title="New tenant", tenant=None, **_choices(visit))

    @console.act("/new-tenant", Action.WRITE_TENANTS)
    async def create_tenant(visit: Visit) -> Response:
        body = visit.valid(NewTenant, body_of(visit.form))
        made = await visit.api("create_tenant", body=body)
        said = f"Tenant {body.name} is made. {in_force(made)}"
        return visit.go(f"/tenants/{segment(body.name)}", said)


def _add_changes(console: Console) -> None:
    @console.act("/tenants/{name}", Action.TAG_TENANTS)
    async def change_tenant(visit: Visit) -> Response:
        name = visit.path("name")
        entry = tenant_of(visit.services.admin, visit.caller, name)
        body = visit.valid(TenantChange, body_of(visit.form, entry))
        version = version_in(visit.form)
        changed = await visit.api("change_tenant", name=name, body=body, version=version)
        return visit.go(f"/tenants/{segment(name)}", f"It is changed. {in_force(changed)}")

    @console.act("/tenants/{name}/delete", Action.WRITE_TENANTS)
    async def delete_tenant(visit: Visit) -> Response:
        name = visit.path("name")
        entry = tenant_of(visit.services.admin, visit.caller, name)
        if visit.form["name"] != entry.name:
            raise MalformedRequest("Type the name of the tenant to delete it.", param="name")
        await visit.api("delete_tenant", name=name)
        return visit.go("/tenants", f"Tenant {name} is deleted, with its keys.")


def _found(visit: Visit, query: str) -> dict[str, TenantEntry]:
    """Those that the caller sees, and whose name or tags have these letters."""
    wanted = query.lower()
    return {
        name: entry
        for name, entry in visit.directory.tenants.items()
        if visit.caller.sees(name) and (not wanted or wanted in _words(entry))
    }


def _words(entry: TenantEntry) -> str:
    tags = " ".join(f"{name}={value}" for name, value in entry.tags.items())
    return f"{entry.name} {tags}".lower()


async def _details(visit: Visit, entry: TenantEntry) -> dict[str, Any]:
    keys = sorted(_keys(visit, entry.name), key=lambda key: -key.created_at)
    return {
        "tenant": TenantView.of(entry),
        "uses": await uses_of(visit.services, entry),
        "keys": keys[:_KEYS_SHOWN],
        "key_count": len(keys),
        "now": visit.services.admin.clock.unix(),
        "rule_names": RULE_NAMES,
        **_choices(visit),
    }


def _keys(visit: Visit, tenant: str) -> list[KeyEntry]:
    return [key for key in visit.directory.keys.values() if key.tenant == tenant]


def _choices(visit: Visit) -> dict[str, Any]:
    models = visit.services.admin.models
    return {
        "models": sorted(models()) if models is not None else [],
        "classes": ("critical", "interactive", "standard", "batch"),
        "loss_policies": [each.value for each in LossPolicy],
    }
