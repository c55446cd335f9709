"""Tenants: listed, made, read, changed, disabled and deleted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from app.api.admin.changing import IfMatch, remove, show_version, update
from app.api.admin.guard import CallerOf, needs
from app.api.admin.lookup import check_models, check_rules, tenant_of
from app.api.admin.paging import PageOf, part_of
from app.api.admin.roles import Action
from app.api.admin.routing import (
    RoutingBody,
    RoutingView,
    check_places,
    merged,
    shown,
)
from app.api.admin.rules import RuleBodies, RuleView, rules_of, views_of
from app.api.admin.services import AdminServices
from app.api.admin.shapes import (
    Body,
    Changed,
    Deleted,
    Guids,
    InForceView,
    Item,
    Models,
    Page,
    Tags,
    Zone,
)
from app.domain.cache.kept import Selection
from app.domain.cache.policy import rule_of, section_of
from app.domain.identity.directory import Change, Directory, EntraIds, EntryKind, TenantEntry
from app.domain.identity.directory_change import creation
from app.domain.identity.tenant import LossPolicy
from app.domain.policy.rules import policy_of
from app.domain.policy.rules import section_of as policy_section_of
from app.errors import StoreUnavailable
from app.settings import CacheRules
from app.settings.policy import InputPolicyRules
from app.settings.section import Name

#: Fields that a body and an entry have in the same form.
_PLAIN: Final = frozenset(
    {"models", "time_zone", "redis_loss", "tags", "trace_content", "disabled"}
)
#: Entries that are deleted together with their tenant, in one step of the store.
_AT_ONCE: Final = 400


class EntraView(BaseModel):
    """Whose Entra ID tokens are a tenant's."""

    model_config = ConfigDict(from_attributes=True)

    applications: list[str]
    objects: list[str]
    groups: list[str]


class TenantView(RoutingView):
    """A tenant as it is kept; `models` null are all."""

    name: str
    models: list[str] | None
    limits: list[RuleView]
    time_zone: str
    redis_loss: LossPolicy
    tags: dict[str, str]
    entra: EntraView
    cache: dict[str, Any]
    policy: dict[str, Any]
    trace_content: bool
    disabled: bool
    version: int

    @classmethod
    def of(cls, entry: TenantEntry) -> TenantView:
        """As it is shown."""
        return cls(
            name=entry.name,
            models=None if entry.models is None else list(entry.models),
            limits=views_of(entry.limits),
            time_zone=entry.time_zone,
            redis_loss=entry.redis_loss,
            tags=dict(entry.tags),
            entra=EntraView.model_validate(entry.entra),
            cache=section_of(entry.cache).model_dump(exclude_none=True),
            policy=policy_section_of(entry.policy).model_dump(mode="json", exclude_none=True),
            trace_content=entry.trace_content,
            **shown(entry.routing),
            disabled=entry.disabled,
            version=entry.version,
        )


class EntraBody(Body):
    """Whose Entra ID tokens are a tenant's: all of them, in place of those there were."""

    applications: Guids = Field((), description="application (client) ids: `appid` or `azp`")
    objects: Guids = Field((), description="object ids of users and managed identities: `oid`")
    groups: Guids = Field((), description="object ids of groups: `groups`")

    @model_validator(mode="after")
    def _each_once(self) -> EntraBody:
        ids = (*self.applications, *self.objects, *self.groups)
        if len(set(ids)) != len(ids):
            raise PydanticCustomError("repeated", "must name each id once")
        return self

    def ids(self) -> EntraIds:
        """As they are kept."""
        return EntraIds(**self.model_dump())


class TenantChange(RoutingBody):
    """What is to be otherwise; a field that is not sent stays as it is."""

    models: Models | None = None
    time_zone: Zone = "UTC"
    redis_loss: LossPolicy = LossPolicy.LOCAL_SHARE
    tags: Tags = Field(default_factory=dict)
    entra: EntraBody = Field(default_factory=EntraBody)
    cache: CacheRules = Field(
        default_factory=CacheRules,
        description="which caches answer; in place of what was",
    )
    policy: InputPolicyRules = Field(
        default_factory=InputPolicyRules,
        description="what its requests may ask for; in place of what was",
    )
    trace_content: bool = Field(
        default=False,
        description="traces may hold its prompts and answers, where the configuration allows it",
    )
    disabled: bool = False

    def changed(self, entry: TenantEntry) -> TenantEntry:
        """The tenant with the fields that were sent in place of its own."""
        given = self.given()
        plain = {name: given[name] for name in given.keys() & _PLAIN}
        entra = self.entra.ids() if "entra" in given else entry.entra
        cache = rule_of(self.cache) if "cache" in given else entry.cache
        policy = policy_of(self.policy) if "policy" in given else entry.policy
        routing = merged(entry.routing, given)
        return replace(entry, **plain, entra=entra, routing=routing, cache=cache, policy=policy)


class NewTenant(TenantChange):
    """A tenant to be made."""

    name: Name
    limits: RuleBodies = Field(default_factory=list)

    def made(self) -> TenantEntry:
        """The tenant; what was not sent is as usual."""
        return self.changed(TenantEntry(self.name, limits=rules_of(self.limits)))


def add_tenant_routes(router: APIRouter, services: AdminServices) -> None:
    """Put them on the router."""
    _add_reading(router, services)
    _add_creation(router, services)
    _add_change(router, services)
    _add_deletion(router, services)


def _add_reading(router: APIRouter, services: AdminServices) -> None:
    @router.get("/tenants", openapi_extra=needs(Action.READ_TENANTS))
    async def list_tenants(caller: CallerOf, page: PageOf) -> Page[TenantView]:
        """Tenants by name; a tenant-admin sees its own alone."""
        tenants = services.store.current.tenants
        seen = {name: entry for name, entry in tenants.items() if caller.sees(name)}
        part, following = part_of(seen, page)
        return Page(data=[TenantView.of(entry) for entry in part], next=following)

    @router.get("/tenants/{name}", openapi_extra=needs(Action.READ_TENANTS))
    async def read_tenant(caller: CallerOf, name: str, response: Response) -> Item[TenantView]:
        """One tenant; `ETag` is its version."""
        entry = tenant_of(services, caller, name)
        show_version(response, entry)
        return Item(data=TenantView.of(entry))


def _add_creation(router: APIRouter, services: AdminServices) -> None:
    @router.post("/tenants", status_code=201, openapi_extra=needs(Action.WRITE_TENANTS))
    async def create_tenant(
        caller: CallerOf, body: NewTenant, response: Response
    ) -> Changed[TenantView]:
        """Make a tenant; 412 where there is one of that name, 409 for another one's Entra ID id."""
        check_models(services, body.models)
        check_rules(services, body.limits)
        check_places(services, body)
        if body.name not in services.store.current.tenants:
            await _forget_made(services, body.name)
        entry = body.made()
        left = list(_belongings(services.store.current, body.name))
        # What outlived a tenant of the same name is not this one's: keys, and what it made above.
        changes = [creation(entry), *left[:_AT_ONCE]]
        in_force = await services.store.change(changes, caller.actor)
        show_version(response, entry)
        return Changed(data=TenantView.of(entry), in_force=InForceView.of(in_force))


def _add_change(router: APIRouter, services: AdminServices) -> None:
    @router.patch("/tenants/{name}", openapi_extra=needs(Action.TAG_TENANTS))
    async def change_tenant(
        caller: CallerOf, name: str, body: TenantChange, version: IfMatch, response: Response
    ) -> Changed[TenantView]:
        """Change a tenant; 409 for another one's Entra ID id. A tenant-admin changes tags alone."""
        if body.model_fields_set - {"tags"}:
            caller.require(Action.WRITE_TENANTS)
        check_models(services, body.models)
        check_places(services, body)
        entry, in_force = await update(
            services.store,
            lambda: tenant_of(services, caller, name),
            body.changed,
            caller=caller,
            version=version,
        )
        show_version(response, entry)
        return Changed(data=TenantView.of(entry), in_force=InForceView.of(in_force))


def _add_deletion(router: APIRouter, services: AdminServices) -> None:
    @router.delete("/tenants/{name}", openapi_extra=needs(Action.WRITE_TENANTS))
    async def delete_tenant(caller: CallerOf, name: str, version: IfMatch) -> Changed[Deleted]:
        """Delete a tenant, its keys, administrators and answers; the ledger keeps what it used.

        What its responses stored upstream is nobody's to ask for, of the same name either.

        One that the configuration names comes back at the next start: disable it instead.
        """
        entry = tenant_of(services, caller, name)
        left = list(_belongings(services.store.current, name))
        while len(left) > _AT_ONCE:
            await services.store.change(left[:_AT_ONCE], caller.actor)
            left = left[_AT_ONCE:]
        in_force = await remove(services.store, entry, caller=caller, version=version, before=left)
        with suppress(StoreUnavailable):  # they end by themselves, or when the name is used again
            await _forget_made(services, name)
        return Changed(data=Deleted(id=name), in_force=InForceView.of(in_force))


async def _forget_made(services: AdminServices, tenant: str) -> None:
    """Kept answers and stored responses of a tenant that is gone. Raises StoreUnavailable."""
    await services.cache.kept.evict(tenant, Selection())
    await services.forget_responses(tenant)


def _belongings(directory: Directory, tenant: str) -> Iterator[Change]:
    """Changes that delete a tenant's keys and administrators, and what is noted of its cache."""
    for key in directory.keys.values():
        if key.tenant == tenant:
            yield Change(EntryKind.KEY, key.id, None)
    for admin in directory.admins.values():
        if admin.tenant == tenant:
            yield Change(EntryKind.ADMIN, admin.id, None)
    if tenant in directory.caches:
        yield Change(EntryKind.CACHE, tenant, None)
