"""Limits of a tenant: set one, take one away."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from app.api.admin.limits import LimitsBody
from app.api.admin.lookup import tenant_of
from app.api.admin.roles import Action
from app.api.admin.rules import views_of
from app.api.console.forms import Form
from app.api.console.frame import Console
from app.api.console.visit import Visit, in_force, segment

Rule = dict[str, Any]


def add_limit_pages(console: Console) -> None:
    """Register them; limits are shown with their tenant."""

    @console.act("/tenants/{name}/limits", Action.WRITE_LIMITS)
    async def set_limit(visit: Visit) -> Response:
        rule = _rule(visit.form)
        return await _set(visit, [rule], "The limit is set.")

    @console.act("/tenants/{name}/limits/remove", Action.WRITE_LIMITS)
    async def remove_limit(visit: Visit) -> Response:
        return await _set(visit, [], "The limit is gone.")


async def _set(visit: Visit, rules: list[Rule], said: str) -> Response:
    """In place of the one of this name and scope; only if nobody changes the tenant meanwhile."""
    name = visit.path("name")
    entry = tenant_of(visit.services.admin, visit.caller, name)
    scope = _scope(_rule(visit.form))
    kept = [rule.model_dump(mode="json") for rule in views_of(entry.limits)]
    kept = [rule for rule in kept if _scope(rule) != scope]
    body = visit.valid(LimitsBody, {"limits": [*kept, *rules]})
    changed = await visit.api("set_limits", name=name, body=body, version=entry.version)
    return visit.go(f"/tenants/{segment(name)}#limits", f"{said} {in_force(changed)}")


def _rule(form: Form) -> Rule:
    """What was written; empty fields are left to the API."""
    found = {name: form[name] for name in ("name", "amount", "mode", "key_id", "model")}
    found |= {name: form[name] for name in ("override", "override_until")}
    return {name: value for name, value in found.items() if value}


def _scope(rule: Rule) -> tuple[Any, ...]:
    return rule.get("name"), rule.get("key_id"), rule.get("model")
