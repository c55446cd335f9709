"""`spillgate key`: keys of tenants; a key is shown once, alone on standard output."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import typer

from app.cli import given, shown
from app.cli.client import path_to
from app.cli.output import Column
from app.cli.session import Json, Session, TenantName, Yes, confirm, session
from app.domain.identity.api_key import ID_BYTES, SECRET_BYTES, mint

#: Long enough to deploy the new key everywhere on the next working day.
OVERLAP: Final = "24h"

_Id = Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `key list` shows it.")]


def new_key(environment: Literal["live", "test"] = "live") -> str:
    """Make a key from the system's randomness; it is kept nowhere."""
    return mint(
        environment=environment,
        id_bytes=secrets.token_bytes(ID_BYTES),
        secret_bytes=secrets.token_bytes(SECRET_BYTES),
    )


def key_commands() -> typer.Typer:
    """The group."""
    group = typer.Typer(no_args_is_help=True, help="Keys of tenants.")
    group.command("new")(new)
    group.command("list")(list_keys)
    group.command("create")(create)
    group.command("rotate")(rotate)
    group.command("disable")(disable)
    group.command("enable")(enable)
    group.command("delete")(delete)
    return group


def new(
    *,
    test: Annotated[bool, typer.Option("--test", help="A test key instead of a live one.")] = False,
) -> None:
    """Print a fresh key for a seed in a config; it is kept nowhere."""
    typer.echo(new_key("test" if test else "live"))


def list_keys(ctx: typer.Context, tenant: TenantName, *, as_json: Json = False) -> None:
    """List a tenant's keys; of a key itself only the last four characters are known."""
    with session(ctx, as_json=as_json) as work:
        work.list_all(_columns(work), path_to("tenants", tenant, "keys"))


def create(  # noqa: PLR0913  # one parameter for each option
    ctx: typer.Context,
    tenant: TenantName,
    *,
    name: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    models: Annotated[str | None, typer.Option(help="Only these of its tenant's: a,b.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="name=value; repeatable.")] = None,
    expires: Annotated[str | None, typer.Option(help="After 90d, or on a date.")] = None,
    as_json: Json = False,
) -> None:
    """Make a key and print it, this once."""
    with session(ctx, as_json=as_json) as work:
        body: dict[str, Any] = {}
        if name is not None:
            body["name"] = name
        if models is not None:
            body["models"] = given.names(models)
        if tag:
            body["tags"] = given.tags(tag)
        if expires is not None:
            body["expires_at"] = work.later(expires)
        _reveal(work, work.client.send("POST", path_to("tenants", tenant, "keys"), body))


def rotate(
    ctx: typer.Context,
    key_id: _Id,
    *,
    overlap: Annotated[str, typer.Option(help="How long the old key still works.")] = OVERLAP,
    as_json: Json = False,
) -> None:
    """Make a key in place of another, which works on for the overlap; print the new one."""
    body = {"overlap_s": 0 if overlap == "0" else given.seconds(overlap)}
    with session(ctx, as_json=as_json) as work:
        _reveal(work, work.client.send("POST", path_to("keys", key_id, "rotate"), body))


def disable(ctx: typer.Context, key_id: _Id, *, as_json: Json = False) -> None:
    """Let nobody in with this key from now on."""
    with session(ctx, as_json=as_json) as work:
        _patch(work, key_id, {"disabled": True})


def enable(ctx: typer.Context, key_id: _Id, *, as_json: Json = False) -> None:
    """Let a disabled key in again."""
    with session(ctx, as_json=as_json) as work:
        _patch(work, key_id, {"disabled": False})


def delete(ctx: typer.Context, key_id: _Id, *, yes: Yes = False, as_json: Json = False) -> None:
    """Delete a key; the ledger keeps what it used."""
    confirm(f"Delete key {key_id}?", yes=yes)
    with session(ctx, as_json=as_json) as work:
        answer = work.client.send("DELETE", path_to("keys", key_id))
        work.deleted(f"key {shown.text(key_id)}", answer)


def _patch(work: Session, key_id: str, body: dict[str, Any]) -> None:
    work.changed(_columns(work), work.client.send("PATCH", path_to("keys", key_id), body))


def _reveal(work: Session, answer: Any) -> None:
    key = answer["data"]
    reveal(work, answer, f"key {shown.text(key['id'])} of {shown.text(key['tenant'])}")


def reveal(work: Session, answer: Any, what: str) -> None:
    """A fresh key alone on standard output, so that `$(…)` holds it and nothing else."""
    if work.as_json:
        work.output.json(answer)
        return
    fresh = answer["data"]
    work.output.lines([fresh["key"]])
    expires = fresh.get("expires_at")
    until = f", valid until {work.moment(expires)}" if expires else ""
    work.output.note(f"{what}{until}")
    work.output.note("it is shown this once: keep it now")
    work.in_force(answer)


def _columns(work: Session) -> Sequence[Column]:
    return (
        Column("ID", lambda key: shown.text(key["id"])),
        Column("KEY", lambda key: f"…{shown.text(key['last4'])}"),
        Column("NAME", lambda key: shown.text(key["name"])),
        Column("STATE", lambda key: state_of(key, work)),
        Column("MODELS", lambda key: shown.listed(key["models"], none="all")),
        Column("CREATED", lambda key: work.moment(key["created_at"])),
        Column("EXPIRES", lambda key: work.moment(key["expires_at"])),
        Column("TAGS", lambda key: shown.pairs(key["tags"])),
    )


def state_of(key: Any, work: Session) -> str:
    """Whether a key lets anybody in now, by this machine's clock."""
    if key["disabled"]:
        return "disabled"
    expires = key["expires_at"]
    past = isinstance(expires, int | float) and expires <= work.around.now()
    return "expired" if past else "active"
