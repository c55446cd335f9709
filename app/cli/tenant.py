"""`spillgate tenant`: tenants listed, shown, made, changed, disabled and deleted."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from app.cli import given, shown
from app.cli.client import path_to
from app.cli.limit import limit_columns
from app.cli.output import Column
from app.cli.session import Json, Session, TenantName, Yes, confirm, session
from app.domain.tenant import LossPolicy

_Models = Annotated[str | None, typer.Option("--models", help="Names with commas: a,b.")]
_Zone = Annotated[str | None, typer.Option("--time-zone", help="IANA name: Europe/Berlin.")]
_Loss = Annotated[LossPolicy | None, typer.Option("--redis-loss", help="While Redis is gone.")]
_Tags = Annotated[list[str] | None, typer.Option("--tag", help="name=value; repeatable.")]

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
    """Show a tenant and its limits."""
    with session(ctx, as_json=as_json) as work:
        answer = work.client.get(path_to("tenants", name))
        if as_json:
            work.output.json(answer)
            return
        tenant = answer["data"]
        work.output.table(COLUMNS, [tenant])
        if tenant["limits"]:
            work.output.lines([""])
            work.output.table(limit_columns(work), tenant["limits"])


def create(  # noqa: PLR0913  # one parameter for each option
    ctx: typer.Context,
    name: TenantName,
    *,
    models: _Models = None,
    time_zone: _Zone = None,
    redis_loss: _Loss = None,
    tag: _Tags = None,
    limit: Annotated[
        list[str] | None, typer.Option("--limit", help="rpm=600 and the like; repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a tenant."""
    body: dict[str, Any] = {"name": name} | _settings(models, time_zone, redis_loss)
    if tag:
        body["tags"] = given.tags(tag)
    if limit:
        body["limits"] = [given.rule(each) for each in limit]
    with session(ctx, as_json=as_json) as work:
        work.changed(COLUMNS, work.client.send("POST", "tenants", body))


def update(  # noqa: PLR0913  # one parameter for each option
    ctx: typer.Context,
    name: TenantName,
    *,
    models: _Models = None,
    all_models: Annotated[bool, typer.Option("--all-models", help="Allow all.")] = False,
    time_zone: _Zone = None,
    redis_loss: _Loss = None,
    tag: _Tags = None,
    untag: Annotated[list[str] | None, typer.Option("--untag", help="A tag's name.")] = None,
    as_json: Json = False,
) -> None:
    """Change a tenant; what is not given stays as it is."""
    changes = _settings(models, time_zone, redis_loss)
    if all_models:
        changes["models"] = None
    added, removed = given.tags(tag or ()), set(untag or ())
    if not (changes or added or removed):
        raise typer.BadParameter("nothing to change: see `spillgate tenant update --help`")
    with session(ctx, as_json=as_json) as work:
        version = None
        if added or removed:
            tenant = work.tenant(name)
            left = {key: tenant["tags"][key] for key in tenant["tags"].keys() - removed}
            changes["tags"] = left | added
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


def _settings(
    models: str | None, time_zone: str | None, redis_loss: LossPolicy | None
) -> dict[str, Any]:
    """Those that are given."""
    found: dict[str, Any] = {}
    if models is not None:
        found["models"] = given.names(models)
    if time_zone is not None:
        found["time_zone"] = time_zone
    if redis_loss is not None:
        found["redis_loss"] = redis_loss.value
    return found


def _patch(work: Session, name: str, body: dict[str, Any], version: int | None = None) -> None:
    answer = work.client.send("PATCH", path_to("tenants", name), body, version=version)
    work.changed(COLUMNS, answer)
