"""Limits of a tenant: read, replaced as a whole, and removed."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter, Response
from pydantic import BaseModel

from app.api.admin.changing import IfMatch, show_version, update
from app.api.admin.guard import CallerOf, needs
from app.api.admin.lookup import check_rules, tenant_of
from app.api.admin.roles import Action, Caller
from app.api.admin.rules import RuleBodies, RuleView, rules_of, views_of
from app.api.admin.services import AdminServices
from app.api.admin.shapes import Body, Changed, InForceView, Item
from app.domain.identity.directory import TenantEntry
from app.domain.quota.limit import LimitRule

_PATH = "/tenants/{name}/limits"


class LimitsView(BaseModel):
    """All limits of a tenant; `version` is the tenant's."""

    tenant: str
    version: int
    limits: list[RuleView]

    @classmethod
    def of(cls, entry: TenantEntry) -> LimitsView:
        """As they are shown."""
        return cls(tenant=entry.name, version=entry.version, limits=views_of(entry.limits))


class LimitsBody(Body):
    """All limits that a tenant is to have; what is not among them is no limit any more."""

    limits: RuleBodies


def add_limit_routes(router: APIRouter, services: AdminServices) -> None:
    """Put them on the router."""

    @router.get(_PATH, openapi_extra=needs(Action.READ_LIMITS))
    async def read_limits(caller: CallerOf, name: str, response: Response) -> Item[LimitsView]:
        """Limits of the tenant, its keys and its models; `ETag` is the tenant's version."""
        entry = tenant_of(services, caller, name)
        show_version(response, entry)
        return Item(data=LimitsView.of(entry))

    @router.put(_PATH, openapi_extra=needs(Action.WRITE_LIMITS))
    async def set_limits(
        caller: CallerOf, name: str, body: LimitsBody, version: IfMatch, response: Response
    ) -> Changed[LimitsView]:
        """Replace all limits; what was used so far counts in the new ones."""
        check_rules(services, body.limits)
        changed = await _set(services, caller, name, rules_of(body.limits), version)
        response.headers["etag"] = f'"{changed.data.version}"'
        return changed

    @router.delete(_PATH, openapi_extra=needs(Action.WRITE_LIMITS))
    async def remove_limits(
        caller: CallerOf, name: str, version: IfMatch, response: Response
    ) -> Changed[LimitsView]:
        """Remove all limits."""
        changed = await _set(services, caller, name, (), version)
        response.headers["etag"] = f'"{changed.data.version}"'
        return changed


async def _set(
    services: AdminServices,
    caller: Caller,
    name: str,
    rules: tuple[LimitRule, ...],
    version: int | None,
) -> Changed[LimitsView]:
    entry, in_force = await update(
        services.store,
        lambda: tenant_of(services, caller, name),
        lambda entry: replace(entry, limits=rules),
        caller=caller,
        version=version,
    )
    return Changed(data=LimitsView.of(entry), in_force=InForceView.of(in_force))
