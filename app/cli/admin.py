"""`spillgate admin`: administrators of the gateway; the owner's business alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer

from app.cli import given, shown
from app.cli.client import path_to
from app.cli.key import OVERLAP, reveal, state_of
from app.cli.output import Column
from app.cli.session import Json, Session, Yes, confirm, session
from app.domain.identity.directory import Role

#: What a new administrator takes over from the one that it replaces; when it ends is not among it.
_KEPT: Final = ("role", "name", "tenant")

_Id = Annotated[str, typer.Argument(metavar="ID", help="Its id, as `admin list` shows it.")]
_ROLES: Final = ", ".join(Role)


def administrator_commands() -> typer.Typer:
    """The group."""
    group = typer.Typer(no_args_is_help=True, help="Administrators and their keys.")
    group.command("list")(list_admins)
    group.command("create")(create)
    group.command("rotate")(rotate)
    group.command("disable")(disable)
    group.command("enable")(enable)
    group.command("delete")(delete)
    return group


def list_admins(ctx: typer.Context, *, as_json: Json = False) -> None:
    """List the administrators; the owner of the config is not among them."""
    with session(ctx, as_json=as_json) as work:
        work.list_all(_columns(work), "admins")


def create(
    ctx: typer.Context,
    role: Annotated[Role, typer.Argument(metavar="ROLE", help=_ROLES)],
    *,
    name: Annotated[str | None, typer.Option(help="Whose it is.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Of a tenant-admin: its tenant.")] = None,
    expires: Annotated[str | None, typer.Option(help="After 90d, or on a date.")] = None,
    as_json: Json = False,
) -> None:
    """Make an administrator and print its key, this once."""
    if (role is Role.TENANT_ADMIN) != (tenant is not None):
        raise typer.BadParameter("a tenant-admin needs --tenant, and nobody else has one")
    body: dict[str, Any] = {"role": role.value}
    body |= {part: of for part, of in (("name", name), ("tenant", tenant)) if of is not None}
    with session(ctx, as_json=as_json) as work:
        if expires is not None:
            body["expires_at"] = work.later(expires)
        _reveal(work, work.client.send("POST", "admins", body))


def rotate(
    ctx: typer.Context,
    admin_id: _Id,
    *,
    overlap: Annotated[str, typer.Option(help="How long the old key still works.")] = OVERLAP,
    as_json: Json = False,
) -> None:
    """Make an administrator like another, which is let in for the overlap; print the new key."""
    overlap_s = 0 if overlap == "0" else given.seconds(overlap)
    with session(ctx, as_json=as_json) as work:
        path = path_to("admins", admin_id)
        old = work.client.get(path)["data"]
        body = {part: old[part] for part in _KEPT if old[part] is not None}
        _reveal(work, work.client.send("POST", "admins", body))
        ends = work.around.now() + overlap_s
        ends = min(ends, old["expires_at"] or ends)
        # The new key is printed by now: where this fails, the old one is disabled by hand.
        work.client.send("PATCH", path, {"expires_at": ends})
        if not as_json:
            work.output.note(f"admin {shown.text(admin_id)} ends {work.moment(ends)}")


def disable(ctx: typer.Context, admin_id: _Id, *, as_json: Json = False) -> None:
    """Let an administrator in no more."""
    with session(ctx, as_json=as_json) as work:
        _patch(work, admin_id, {"disabled": True})


def enable(ctx: typer.Context, admin_id: _Id, *, as_json: Json = False) -> None:
    """Let a disabled administrator in again."""
    with session(ctx, as_json=as_json) as work:
        _patch(work, admin_id, {"disabled": False})


def delete(ctx: typer.Context, admin_id: _Id, *, yes: Yes = False, as_json: Json = False) -> None:
    """Delete an administrator; the audit log keeps what it did."""
    confirm(f"Delete admin {admin_id}?", yes=yes)
    with session(ctx, as_json=as_json) as work:
        answer = work.client.send("DELETE", path_to("admins", admin_id))
        work.deleted(f"admin {shown.text(admin_id)}", answer)


def _patch(work: Session, admin_id: str, body: dict[str, Any]) -> None:
    work.changed(_columns(work), work.client.send("PATCH", path_to("admins", admin_id), body))


def _reveal(work: Session, answer: Any) -> None:
    admin = answer["data"]
    of = f" of {shown.text(admin['tenant'])}" if admin["tenant"] else ""
    reveal(work, answer, f"admin {shown.text(admin['id'])}, {shown.text(admin['role'])}{of}")


def _columns(work: Session) -> Sequence[Column]:
    return (
        Column("ID", lambda admin: shown.text(admin["id"])),
        Column("KEY", lambda admin: f"…{shown.text(admin['last4'])}"),
        Column("ROLE", lambda admin: shown.text(admin["role"])),
        Column("TENANT", lambda admin: shown.text(admin["tenant"] or "all")),
        Column("NAME", lambda admin: shown.text(admin["name"])),
        Column("STATE", lambda admin: state_of(admin, work)),
        Column("CREATED", lambda admin: work.moment(admin["created_at"])),
        Column("EXPIRES", lambda admin: work.moment(admin["expires_at"])),
    )
