"""Administrators: the owner's business alone; a key is shown once."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from app.api.admin.changing import IfMatch, remove, show_version, update
from app.api.admin.guard import CallerOf, needs
from app.api.admin.lookup import admin_of, tenant_of
from app.api.admin.minting import minted
from app.api.admin.paging import PageOf, part_of
from app.api.admin.roles import Action, Caller
from app.api.admin.services import AdminServices
from app.api.admin.shapes import Body, Changed, Deleted, InForceView, Item, Label, Moment, Page
from app.domain.identity.directory import AdminEntry, Role
from app.domain.identity.directory_change import creation
from app.errors import MalformedRequest

_ONE = "/admins/{admin_id}"


class AdminView(BaseModel):
    """An administrator as it is kept; of the key its last four characters."""

    id: str
    role: Role
    name: str
    tenant: str | None = Field(description="of a tenant-admin: the only one that it sees")
    last4: str
    disabled: bool
    created_at: float
    expires_at: float | None
    version: int

    @classmethod
    def of(cls, entry: AdminEntry) -> AdminView:
        """As it is shown."""
        return cls(**{name: getattr(entry, name) for name in cls.model_fields})


class FreshAdmin(AdminView):
    """An administrator that was made just now: the one answer that holds its key."""

    key: str = Field(description="the key itself, shown this once")


class AdminChange(Body):
    """What is to be otherwise; a field that is not sent stays as it is."""

    role: Role = Role.VIEWER
    name: Label = ""
    tenant: str | None = None
    disabled: bool = False
    expires_at: Moment | None = None


class NewAdmin(Body):
    """An administrator to be made."""

    role: Role
    name: Label = ""
    tenant: str | None = None
    expires_at: Moment | None = None


def add_admin_routes(router: APIRouter, services: AdminServices) -> None:
    """Put them on the router."""
    _add_reading(router, services)
    _add_creation(router, services)
    _add_change(router, services)


def _add_reading(router: APIRouter, services: AdminServices) -> None:
    @router.get("/admins", openapi_extra=needs(Action.READ_ADMINS))
    async def list_admins(page: PageOf) -> Page[AdminView]:
        """Administrators by id; the owner of the configuration is not among them."""
        part, following = part_of(services.store.current.admins, page)
        return Page(data=[AdminView.of(entry) for entry in part], next=following)

    @router.get(_ONE, openapi_extra=needs(Action.READ_ADMINS))
    async def read_admin(admin_id: str, response: Response) -> Item[AdminView]:
        """One administrator; `ETag` is its version."""
        entry = admin_of(services, admin_id)
        show_version(response, entry)
        return Item(data=AdminView.of(entry))


def _add_creation(router: APIRouter, services: AdminServices) -> None:
    @router.post("/admins", status_code=201, openapi_extra=needs(Action.WRITE_ADMINS))
    async def create_admin(
        caller: CallerOf, body: NewAdmin, response: Response
    ) -> Changed[FreshAdmin]:
        """Make an administrator; this answer is the only one that shows its key."""
        fresh = minted(services)
        entry = AdminEntry(
            **{name: getattr(body, name) for name in NewAdmin.model_fields},
            id=fresh.id,
            digest=fresh.digest,
            last4=fresh.last4,
            created_at=services.clock.unix(),
        )
        _check(services, caller, entry)
        in_force = await services.store.change([creation(entry)], caller.actor)
        show_version(response, entry)
        shown = FreshAdmin(**AdminView.of(entry).model_dump(), key=fresh.text)
        return Changed(data=shown, in_force=InForceView.of(in_force))


def _add_change(router: APIRouter, services: AdminServices) -> None:
    @router.patch(_ONE, openapi_extra=needs(Action.WRITE_ADMINS))
    async def change_admin(
        caller: CallerOf, admin_id: str, body: AdminChange, version: IfMatch, response: Response
    ) -> Changed[AdminView]:
        """Change an administrator's role, name, tenant or expiry, or disable it."""

        def changed(entry: AdminEntry) -> AdminEntry:
            after = replace(entry, **body.given())
            _check(services, caller, after)
            return after

        entry, in_force = await update(
            services.store,
            lambda: admin_of(services, admin_id),
            changed,
            caller=caller,
            version=version,
        )
        show_version(response, entry)
        return Changed(data=AdminView.of(entry), in_force=InForceView.of(in_force))

    @router.delete(_ONE, openapi_extra=needs(Action.WRITE_ADMINS))
    async def delete_admin(caller: CallerOf, admin_id: str, version: IfMatch) -> Changed[Deleted]:
        """Delete an administrator."""
        entry = admin_of(services, admin_id)
        in_force = await remove(services.store, entry, caller=caller, version=version)
        return Changed(data=Deleted(id=admin_id), in_force=InForceView.of(in_force))


def _check(services: AdminServices, caller: Caller, entry: AdminEntry) -> None:
    """A tenant-admin has a tenant, and nobody else has one."""
    is_of_tenant = entry.role is Role.TENANT_ADMIN
    if is_of_tenant != (entry.tenant is not None):
        verb = "needs a" if is_of_tenant else "has no"
        raise MalformedRequest(f"tenant: the role {entry.role} {verb} tenant.", param="tenant")
    if entry.tenant is not None:
        tenant_of(services, caller, entry.tenant)
