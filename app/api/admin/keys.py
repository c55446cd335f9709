"""Keys of tenants: listed, made, changed, rotated with an overlap, deleted."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from app.api.admin.changing import IfMatch, remove, show_version, update
from app.api.admin.guard import CallerOf, needs
from app.api.admin.lookup import check_models, key_of, tenant_of
from app.api.admin.minting import Minted, minted
from app.api.admin.paging import PageOf, part_of
from app.api.admin.roles import Action
from app.api.admin.services import AdminServices
from app.api.admin.shapes import (
    Body,
    Changed,
    Deleted,
    InForceView,
    Item,
    Label,
    Models,
    Moment,
    Page,
    Tags,
)
from app.domain.identity.directory import Change, EntryKind, KeyEntry
from app.domain.identity.directory_change import creation
from app.domain.identity.seeds import PEPPER_VERSION
from app.errors import MalformedRequest
from app.settings.section import Float

_OF_TENANT = "/tenants/{name}/keys"
_ONE = "/keys/{key_id}"
_DAY_S = 86_400
_LONGEST_OVERLAP_S = 400 * _DAY_S


class KeyView(BaseModel):
    """A key as it is kept; of the key itself its last four characters. Times are Unix seconds."""

    id: str
    tenant: str
    last4: str
    name: str
    models: list[str] | None
    tags: dict[str, str]
    disabled: bool
    created_at: float
    expires_at: float | None
    version: int

    @classmethod
    def of(cls, entry: KeyEntry) -> KeyView:
        """As it is shown."""
        models = None if entry.models is None else list(entry.models)
        rest = cls.model_fields.keys() - {"models", "tags"}
        values = {name: getattr(entry, name) for name in rest}
        return cls(**values, models=models, tags=dict(entry.tags))


class FreshKey(KeyView):
    """A key that was made just now: the one answer that holds it."""

    key: str = Field(description="the key itself, shown this once")

    @classmethod
    def made(cls, entry: KeyEntry, text: str) -> FreshKey:
        """As it is shown, once."""
        return cls(**KeyView.of(entry).model_dump(), key=text)


class KeyChange(Body):
    """What is to be otherwise; a field that is not sent stays as it is."""

    name: Label = ""
    models: Models | None = None
    tags: Tags = Field(default_factory=dict)
    disabled: bool = False
    expires_at: Moment | None = None


class NewKey(KeyChange):
    """A key to be made."""


class Rotation(Body):
    """How long the old key works beside the new one, in seconds."""

    overlap_s: Float = Field(_DAY_S, ge=0, le=_LONGEST_OVERLAP_S)


def add_key_routes(router: APIRouter, services: AdminServices) -> None:
    """Put them on the router."""
    _add_reading(router, services)
    _add_creation(router, services)
    _add_change(router, services)
    _add_rotation(router, services)
    _add_deletion(router, services)


def _add_reading(router: APIRouter, services: AdminServices) -> None:
    @router.get(_OF_TENANT, openapi_extra=needs(Action.READ_KEYS))
    async def list_keys(caller: CallerOf, name: str, page: PageOf) -> Page[KeyView]:
        """A tenant's keys, by id."""
        tenant_of(services, caller, name)
        keys = services.store.current.keys
        part, following = part_of(
            {key_id: entry for key_id, entry in keys.items() if entry.tenant == name}, page
        )
        return Page(data=[KeyView.of(entry) for entry in part], next=following)

    @router.get(_ONE, openapi_extra=needs(Action.READ_KEYS))
    async def read_key(caller: CallerOf, key_id: str, response: Response) -> Item[KeyView]:
        """One key; `ETag` is its version."""
        entry = key_of(services, caller, key_id)
        show_version(response, entry)
        return Item(data=KeyView.of(entry))


def _add_creation(router: APIRouter, services: AdminServices) -> None:
    @router.post(_OF_TENANT, status_code=201, openapi_extra=needs(Action.WRITE_KEYS))
    async def create_key(
        caller: CallerOf, name: str, response: Response, body: NewKey | None = None
    ) -> Changed[FreshKey]:
        """Make a key; this answer is the only one that shows it."""
        tenant, body = tenant_of(services, caller, name), body or NewKey()
        check_models(services, body.models, within=tenant.models)
        _check_expiry(body.expires_at, services.clock.unix())
        fresh = minted(services)
        entry = _entry(body, tenant.name, fresh, services.clock.unix())
        in_force = await services.store.change([creation(entry)], caller.actor)
        show_version(response, entry)
        return Changed(data=FreshKey.made(entry, fresh.text), in_force=InForceView.of(in_force))


def _add_change(router: APIRouter, services: AdminServices) -> None:
    @router.patch(_ONE, openapi_extra=needs(Action.WRITE_KEYS))
    async def change_key(
        caller: CallerOf, key_id: str, body: KeyChange, version: IfMatch, response: Response
    ) -> Changed[KeyView]:
        """Change a key's name, tags, models or expiry, or disable it."""
        tenant = tenant_of(services, caller, key_of(services, caller, key_id).tenant)
        check_models(services, body.models, within=tenant.models)
        entry, in_force = await update(
            services.store,
            lambda: key_of(services, caller, key_id),
            lambda entry: replace(entry, **body.given()),
            caller=caller,
            version=version,
        )
        show_version(response, entry)
        return Changed(data=KeyView.of(entry), in_force=InForceView.of(in_force))


def _add_rotation(router: APIRouter, services: AdminServices) -> None:
    @router.post(f"{_ONE}/rotate", status_code=201, openapi_extra=needs(Action.WRITE_KEYS))
    async def rotate_key(
        caller: CallerOf, key_id: str, version: IfMatch, body: Rotation | None = None
    ) -> Changed[FreshKey]:
        """Make a key in place of another, which works on for the overlap, then no more.

        Both change in one step. The new one has the old one's name, models and tags; limits on the
        old one's id stay its own.
        """
        old, now = key_of(services, caller, key_id), services.clock.unix()
        ends = now + (body or Rotation(overlap_s=_DAY_S)).overlap_s
        if old.expires_at is not None:
            ends = min(ends, old.expires_at)
        fresh = minted(services)
        new = _entry(_successor(old), old.tenant, fresh, now)
        expected = old.version if version is None else version
        changes = [
            Change(EntryKind.KEY, old.id, replace(old, expires_at=ends), expected),
            creation(new),
        ]
        in_force = await services.store.change(changes, caller.actor)
        shown = FreshKey.made(new, fresh.text)
        return Changed(data=shown, in_force=InForceView.of(in_force))


def _add_deletion(router: APIRouter, services: AdminServices) -> None:
    @router.delete(_ONE, openapi_extra=needs(Action.WRITE_KEYS))
    async def delete_key(caller: CallerOf, key_id: str, version: IfMatch) -> Changed[Deleted]:
        """Delete a key; the ledger keeps what it used."""
        entry = key_of(services, caller, key_id)
        in_force = await remove(services.store, entry, caller=caller, version=version)
        return Changed(data=Deleted(id=key_id), in_force=InForceView.of(in_force))


def _entry(body: NewKey, tenant: str, fresh: Minted, now: float) -> KeyEntry:
    return KeyEntry(
        id=fresh.id,
        tenant=tenant,
        digest=fresh.digest,
        last4=fresh.last4,
        pepper_version=PEPPER_VERSION,
        name=body.name,
        models=body.models,
        tags=body.tags,
        disabled=body.disabled,
        created_at=now,
        expires_at=body.expires_at,
    )


def _successor(old: KeyEntry) -> NewKey:
    """What a rotated key passes on; when it was to expire is not among it."""
    return NewKey(name=old.name, models=old.models, tags=dict(old.tags))


def _check_expiry(expires_at: float | None, now: float) -> None:
    if expires_at is not None and expires_at <= now:
        raise MalformedRequest("expires_at: is in the past.", param="expires_at")
