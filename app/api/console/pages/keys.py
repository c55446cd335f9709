"""Keys of tenants: found, made, changed, rotated, revoked; each shown once."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from app.api.admin.keys import KeyChange, NewKey, Rotation
from app.api.admin.lookup import key_of, tenant_of
from app.api.admin.paging import part_of
from app.api.admin.roles import Action
from app.api.console.forms import Form
from app.api.console.frame import Console
from app.api.console.tenant_form import tags_of
from app.api.console.visit import Visit, in_force, segment, version_in
from app.domain.identity.directory import KeyEntry

_AT_ONCE: Final = 100
_DAY_S: Final = 86_400
_HOUR_S: Final = 3600


def add_key_pages(console: Console) -> None:
    """Register them."""
    _add_reading(console)
    _add_making(console)
    _add_changes(console)


def _add_reading(console: Console) -> None:
    @console.page("/keys", Action.READ_KEYS)
    async def keys(visit: Visit) -> Response:
        found = _found(visit, visit.query("q").lower(), visit.query("tenant"))
        part, following = part_of(found, visit.part(_AT_ONCE))
        context = {
            "query": visit.query("q"),
            "tenant": visit.query("tenant"),
            "count": len(found),
            "keys": part,
            "following": following,
            "now": visit.services.admin.clock.unix(),
        }
        return visit.show("keys.html", title="Keys", **context)

    @console.page("/keys/{key_id}", Action.READ_KEYS)
    async def key(visit: Visit) -> Response:
        entry = key_of(visit.services.admin, visit.caller, visit.path("key_id"))
        now = visit.services.admin.clock.unix()
        return visit.show("key.html", title=f"Key {entry.id}", key=entry, now=now)


def _add_making(console: Console) -> None:
    @console.act("/tenants/{name}/keys", Action.WRITE_KEYS)
    async def create_key(visit: Visit) -> Response:
        tenant = tenant_of(visit.services.admin, visit.caller, visit.path("name"))
        body = visit.valid(NewKey, _body(visit.form, visit.services.admin.clock.unix()))
        made = await visit.api("create_key", name=tenant.name, body=body)
        return _shown(visit, made, "The key is made.")

    @console.act("/keys/{key_id}/rotate", Action.WRITE_KEYS)
    async def rotate_key(visit: Visit) -> Response:
        hours = visit.form["overlap_hours"] or "24"
        seconds = float(hours) * _HOUR_S if _is_number(hours) else hours
        body = visit.valid(Rotation, {"overlap_s": seconds})
        key_id, version = visit.path("key_id"), version_in(visit.form)
        made = await visit.api("rotate_key", key_id=key_id, body=body, version=version)
        return _shown(visit, made, f"This key is in place of {key_id}, which works until then.")


def _add_changes(console: Console) -> None:
    @console.act("/keys/{key_id}", Action.WRITE_KEYS)
    async def change_key(visit: Visit) -> Response:
        body = visit.valid(KeyChange, _body(visit.form, visit.services.admin.clock.unix()))
        key_id, version = visit.path("key_id"), version_in(visit.form)
        changed = await visit.api("change_key", key_id=key_id, body=body, version=version)
        return visit.go(f"/keys/{segment(key_id)}", f"It is changed. {in_force(changed)}")

    @console.act("/keys/{key_id}/revoke", Action.WRITE_KEYS)
    async def revoke_key(visit: Visit) -> Response:
        entry = key_of(visit.services.admin, visit.caller, visit.path("key_id"))
        gone = await visit.api("delete_key", key_id=entry.id)
        said = f"Key {entry.id} is revoked. {in_force(gone)}"
        return visit.go(f"/tenants/{segment(entry.tenant)}#keys", said)


def _shown(visit: Visit, made: Any, said: str) -> Response:
    """The key's own page, which shows it this once."""
    fresh = made.data
    return visit.go(f"/keys/{segment(fresh.id)}", f"{said} {in_force(made)}", secret=fresh.key)


def _found(visit: Visit, wanted: str, tenant: str) -> dict[str, KeyEntry]:
    return {
        key_id: key
        for key_id, key in visit.directory.keys.items()
        if visit.caller.sees(key.tenant)
        and (not tenant or key.tenant == tenant)
        and (not wanted or wanted in f"{key_id} {key.name} {key.tenant} {key.last4}".lower())
    }


def _body(form: Form, now: float) -> dict[str, Any]:
    """The fields that were sent."""
    found: dict[str, Any] = {}
    if "name" in form:
        found["name"] = form["name"]
    if "models" in form:
        found["models"] = form.words("models") or None
    if "tags" in form:
        found["tags"] = tags_of(form.raw("tags"))
    if "disabled" in form:
        found["disabled"] = form["disabled"] == "yes"
    if form["expires_days"]:
        days = form["expires_days"]
        found["expires_at"] = now + float(days) * _DAY_S if _is_number(days) else days
    return found


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()
