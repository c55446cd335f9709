"""`spillgate audit`: who changed what, and whether the log of it is whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from app.cli import shown
from app.cli.client import AdminError
from app.cli.output import Column
from app.cli.session import Json, Session, session

_HASH_SHOWN = 12


def audit_commands() -> typer.Typer:
    """The group."""
    group = typer.Typer(no_args_is_help=True, help="The log of every change.")
    group.command("list")(list_records)
    group.command("verify")(verify)
    return group


def list_records(
    ctx: typer.Context,
    *,
    after: Annotated[int, typer.Option(min=0, help="Only records after this number.")] = 0,
    as_json: Json = False,
) -> None:
    """List the changes, the oldest first."""
    with session(ctx, as_json=as_json) as work:
        work.list_all(_columns(work), "audit", {"after": str(after)}, cursor="after")


def verify(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Check that no record was altered, dropped or inserted; exit 1 where one was."""
    with session(ctx, as_json=as_json) as work:
        answer = work.client.get("audit/verify")
        found = answer["data"]
        faults = found["faults"]
        if as_json:
            work.output.json(answer)
        else:
            work.output.lines(shown.text(fault) for fault in faults)
        if faults:
            raise AdminError("the audit log is not whole: compare it with a copy kept elsewhere")
        if not as_json:
            work.output.lines([f"{shown.count(found['records'])} records, the chain is whole"])


def _columns(work: Session) -> Sequence[Column]:
    return (
        Column("NO", lambda record: shown.count(record["number"]), right=True),
        Column("AT", lambda record: work.moment(record["at"])),
        Column("ACTOR", lambda record: shown.text(record["actor"])),
        Column("ROLE", lambda record: shown.text(record["role"])),
        Column("ACTION", lambda record: shown.text(record["action"])),
        Column("WHAT", lambda record: shown.text(f"{record['kind']} {record['id']}")),
        Column("REQUEST", lambda record: shown.text(record["request_id"])),
        Column("HASH", lambda record: shown.text(record["hash"][:_HASH_SHOWN])),
    )
