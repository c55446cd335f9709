"""`spillgate tenant`: tenants listed, shown, made, changed, disabled and deleted."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer

from app.cli import cache_options as caches
from app.cli import given, shown
from app.cli import policy_options as policies
from app.cli import tenant_options as options
from app.cli.client import path_to
from app.cli.limit import limit_columns
from app.cli.output import Column, Record
from app.cli.session import Json, Session, TenantName, Yes, confirm, session

#: Of a spill budget, over which time.
_A: Final = {"usd_per_hour": "an hour", "usd_per_day": "a day"}

COLUMNS: Final = (
    Column("TENANT", lambda tenant: shown.text(tenant["name"])),
    Column("STATE", lambda tenant: "disabled" if tenant["disabled"] else "active"),
    Column("MODELS", lambda tenant: shown.listed(tenant["models"], none="all")),
    Column("LIMITS", lambda tenant: shown.count(len(tenant["limits"])), right=True),
    Column("TIME ZONE", lambda tenant: shown.text(tenant["time_zone"])),
    Column("REDIS LOSS", lambda tenant: shown.text(tenant["redis_loss"])),
    Column("TAGS", lambda tenant: shown.pairs(tenant["tags"])),
    Column("VERSION", lambda tenant: shown.count(tenant["version"]), right=True),
)
_ROUTING: Final = (
    Column("CLASS", lambda tenant: shown.text(tenant["class"])),
    Column("PTU SHARE", lambda tenant: shown.count(tenant["ptu_share"]), right=True),
    Column("PTU WEIGHT", lambda tenant: shown.count(tenant["ptu_weight"]), right=True),
    Column("SPILL", lambda tenant: _spill(tenant["spill"])),
    Column("DATA ZONES", lambda tenant: shown.listed(tenant["data_zones"], none="any")),
    Column("REGIONS", lambda tenant: shown.listed(tenant["regions"], none="any")),
)
_ENTRA: Final = (
    Column("ENTRA ID", lambda mapped: shown.text(mapped["kind"])),
    Column("ID", lambda mapped: shown.text(mapped["id"])),
)


def tenant_commands() -> typer.Typer:
    """The group."""
    group = typer.Typer(no_args_is_help=True, help="Tenants.")
    group.command("list")(list_tenants)
    group.command("show")(show)
    group.command("create")(create)
    group.command("update")(update)
    group.command("disable")(disable)
    group.command("enable")(enable)
    group.command("delete")(delete)
    return group


def list_tenants(ctx: typer.Context, *, as_json: Json = False) -> None:
    """List the tenants."""
    with session(ctx, as_json=as_json) as work:
        work.list_all(COLUMNS, "tenants")


def show(ctx: typer.Context, name: TenantName, *, as_json: Json = False) -> None:
    """Show a tenant: where its requests may go, whose tokens are its own, its caches, limits."""
    with session(ctx, as_json=as_json) as work:
        answer = work.client.get(path_to("tenants", name))
        if as_json:
            work.output.json(answer)
            return
        tenant = answer["data"]
        _show(work, tenant)
        if tenant["limits"]:
            work.output.lines([""])
            work.output.table(limit_columns(work), tenant["limits"])


def create(  # noqa: PLR0913  # one parameter for each option
    ctx: typer.Context,
    name: TenantName,
    *,
    models: options.Models = None,
    time_zone: options.Zone = None,
    redis_loss: options.Loss = None,
    trace_content: options.TraceContent = None,
    tag: options.Tags = None,
    limit: Annotated[
        list[str] | None, typer.Option("--limit", help="rpm=600 and the like; repeatable.")
    ] = None,
    request_class: options.Class = None,
    ptu_share: options.Share = None,
    ptu_weight: options.Weight = None,
    spill: options.MaySpill = None,
    data_zones: options.Zones = None,
    regions: options.Regions = None,
    entra_application: options.Applications = None,
    entra_object: options.Objects = None,
    entra_group: options.Groups = None,
    cache: caches.Caches = None,
    policy: policies.Policies = None,
    as_json: Json = False,
) -> None:
    """Make a tenant."""
    body: dict[str, Any] = {"name": name} | options.fields(
        {
            "models": models,
            "time_zone": time_zone,
            "redis_loss": redis_loss,
            "trace_content": trace_content,
            "class": request_class,
            "ptu_share": ptu_share,
            "ptu_weight": ptu_weight,
            "spill": spill,
            "data_zones": data_zones,
            "regions": regions,
        }
    )
    if tag:
        body["tags"] = given.tags(tag)
    if limit:
        body["limits"] = [given.rule(each) for each in limit]
    if ids := options.entra(entra_application, entra_object, entra_group):
        body["entra"] = ids
    if cache:
        body["cache"] = caches.changed({}, caches.changes(cache))
    if policy:
        body["policy"] = policies.changed({}, policies.changes(policy))
    with session(ctx, as_json=as_json) as work:
        _changed(work, work.client.send("POST", "tenants", body))


def update(  # noqa: PLR0913  # one parameter for each option
    ctx: typer.Context,
    name: TenantName,
    *,
    models: options.Models = None,
    all_models: Annotated[bool, typer.Option("--all-models", help="Allow all.")] = False,
    time_zone: options.Zone = None,
    redis_loss: options.Loss = None,
    trace_content: options.TraceContent = None,
    tag: options.Tags = None,
    untag: Annotated[list[str] | None, typer.Option("--untag", help="A tag's name.")] = None,
    request_class: options.Class = None,
    ptu_share: options.Share = None,
    ptu_weight: options.Weight = None,
    spill: options.MaySpill = None,
    data_zones: options.Zones = None,
    any_data_zone: Annotated[bool, typer.Option("--any-data-zone", help="Bind no more.")] = False,
    regions: options.Regions = None,
    any_region: Annotated[bool, typer.Option("--any-region", help="Bind no more.")] = False,
    entra_application: options.Applications = None,
    entra_object: options.Objects = None,
    entra_group: options.Groups = None,
    remove_entra: options.Unmapped = None,
    cache: caches.Caches = None,
    policy: policies.Policies = None,
    as_json: Json = False,
) -> None:
    """Change a tenant; what is not given stays as it is."""
    changes = options.fields(
        {
            "models": models,
            "time_zone": time_zone,
            "redis_loss": redis_loss,
            "trace_content": trace_content,
            "class": request_class,
            "ptu_share": ptu_share,
            "ptu_weight": ptu_weight,
            "spill": spill,
            "data_zones": data_zones,
            "regions": regions,
        }
    ) | options.unbound(models=all_models, data_zones=any_data_zone, regions=any_region)
    partly = _Partly(
        added_tags=given.tags(tag or ()),
        removed_tags=frozenset(untag or ()),
        added_ids=options.entra(entra_application, entra_object, entra_group),
        removed_ids=frozenset(remove_entra or ()),
        caches=caches.changes(cache or ()),
        policies=policies.changes(policy or ()),
    )
    if not (changes or partly.changes_anything):
        raise typer.BadParameter("nothing to change: see `spillgate tenant update --help`")
    with session(ctx, as_json=as_json) as work:
        version = None
        if partly.changes_anything:
            tenant = work.tenant(name)
            changes |= partly.changed(tenant)
            version = tenant["version"]
        _patch(work, name, changes, version)


def disable(ctx: typer.Context, name: TenantName, *, as_json: Json = False) -> None:
    """Refuse a tenant's requests from now on; its keys and limits are kept."""
    with session(ctx, as_json=as_json) as work:
        _patch(work, name, {"disabled": True})


def enable(ctx: typer.Context, name: TenantName, *, as_json: Json = False) -> None:
    """Let a disabled tenant in again."""
    with session(ctx, as_json=as_json) as work:
        _patch(work, name, {"disabled": False})


def delete(
    ctx: typer.Context, name: TenantName, *, yes: Yes = False, as_json: Json = False
) -> None:
    """Delete a tenant and its keys; the ledger keeps what it used."""
    confirm(f"Delete tenant {name} and all its keys?", yes=yes)
    with session(ctx, as_json=as_json) as work:
        answer = work.client.send("DELETE", path_to("tenants", name))
        work.deleted(f"tenant {shown.text(name)}", answer)


@dataclass(frozen=True, slots=True)
class _Partly:
    """Changes of fields that the API takes as a whole: to be made to what is there."""

    added_tags: dict[str, str]
    removed_tags: Collection[str]
    added_ids: dict[str, list[str]]
    removed_ids: Collection[str]
    caches: caches.Changes
    policies: policies.Changes

    @property
    def changes_anything(self) -> bool:
        ids = self.added_ids or self.removed_ids
        parts = self.caches or self.policies
        return bool(self.added_tags or self.removed_tags or ids or parts)

    def changed(self, tenant: Record) -> dict[str, Any]:
        """The fields as a whole."""
        found: dict[str, Any] = {}
        if self.added_tags or self.removed_tags:
            left = {k: v for k, v in tenant["tags"].items() if k not in self.removed_tags}
            found["tags"] = left | self.added_tags
        if self.added_ids or self.removed_ids:
            found["entra"] = options.with_ids(tenant["entra"], self.added_ids, self.removed_ids)
        if self.caches:
            found["cache"] = caches.changed(tenant["cache"], self.caches)
        if self.policies:
            found["policy"] = policies.changed(tenant["policy"], self.policies)
        return found


def _patch(work: Session, name: str, body: dict[str, Any], version: int | None = None) -> None:
    _changed(work, work.client.send("PATCH", path_to("tenants", name), body, version=version))


def _changed(work: Session, answer: Any) -> None:
    """What a tenant is after a change, and where that is in force."""
    if work.as_json:
        work.output.json(answer)
        return
    _show(work, answer["data"])
    work.in_force(answer)


def _show(work: Session, tenant: Record) -> None:
    """All of it but its limits."""
    work.output.table(COLUMNS, [tenant])
    work.output.lines([""])
    work.output.table(_ROUTING, [tenant])
    mapped = [{"kind": kind, "id": each} for kind, ids in tenant["entra"].items() for each in ids]
    if mapped:
        work.output.lines([""])
        work.output.table(_ENTRA, mapped)
    if said := list(caches.parts(tenant["cache"])):
        work.output.lines([""])
        work.output.table(caches.COLUMNS, said)
    if rules := list(policies.parts(tenant["policy"])):
        work.output.lines([""])
        work.output.table(policies.COLUMNS, rules)


def _spill(value: str | Record) -> str:
    if isinstance(value, str):
        return shown.text(value)
    return " and ".join(f"{shown.amount(name, usd)} {_A[name]}" for name, usd in value.items())
