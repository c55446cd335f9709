"""`spillgate usage`: what was used and what it cost, by any dimension; and the ledger's rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Annotated, Any, Final

import typer

from app.cli import given, shown
from app.cli.output import Column, Output, Record
from app.cli.reconcile import reconcile
from app.cli.session import Json, Session, Since, Until, session
from app.cli.statement import statement
from app.cli.written import (
    FileOption,
    Format,
    FormatOption,
    check_target,
    download,
    target,
    wanted,
)
from app.domain.ledger.usage_query import DIMENSIONS, TAG

_SUMS: Final = ("requests", "refused", "input", "cached_input", "output", "nano_usd", "estimated")
_SAVED: Final = "saved_nano_usd"
#: What has no model, no deployment.
_WITHOUT: Final = {
    "model": "lists of models, and what was refused before its model was read",
    "deployment": "what was answered by the cache or refused, before one was asked",
}

_Tenant = Annotated[str | None, typer.Option("--tenant", help="Only this tenant.")]
_Key = Annotated[str | None, typer.Option("--key", help="Only this key, by its id.")]
_Model = Annotated[str | None, typer.Option("--model", help="Only this model.")]
_Deployment = Annotated[str | None, typer.Option("--deployment", help="Only this deployment.")]
_Where = Annotated[
    list[str] | None,
    typer.Option("--where", help="Only NAME=VALUE, NAME as in --by; repeatable."),
]


def usage_commands() -> typer.Typer:
    """The group; without a subcommand it sums up."""
    group = typer.Typer()
    group.callback(invoke_without_command=True)(usage)
    group.command("ledger")(ledger)
    group.command("statement")(statement)
    group.command("reconcile")(reconcile)
    return group


def usage(  # noqa: PLR0913  # one parameter for each option
    ctx: typer.Context,
    *,
    by: Annotated[
        str,
        typer.Option(help=f"{', '.join(DIMENSIONS)}, {TAG}NAME, with commas."),
    ] = "tenant,model",
    since: Since = "7d",
    until: Until = None,
    tenant: _Tenant = None,
    key: _Key = None,
    model: _Model = None,
    deployment: _Deployment = None,
    where: _Where = None,
    form: FormatOption = None,
    output: FileOption = None,
    as_json: Json = False,
) -> None:
    """Usage and cost: requests, tokens and dollars, one line for each group."""
    if ctx.invoked_subcommand is not None:
        _refuse_options_before(ctx)
        return
    to_write = wanted(form, as_json=as_json)
    check_target(to_write, output)
    named = {"tenant": tenant, "key_id": key, "model": model, "deployment": deployment}
    filters = given.filters(where or (), named)
    with session(ctx, as_json=as_json) as work:
        groups = given.names(by)
        asked = filters | work.period(since, until) | {"group_by": ",".join(groups)}
        if to_write in {Format.CSV, Format.PARQUET}:
            download(work, "usage", asked | {"format": to_write.value}, output)
            return
        answer = work.client.get("usage", asked)
        with target(work, output) as to:
            if to_write is Format.JSON:
                to.json(answer)
            else:
                to.table(_usage_columns(groups), _with_total(answer["data"], groups))
                for name in _WITHOUT.keys() & groups:
                    if any(row[name] is None for row in answer["data"]):
                        work.output.note(f"- under {name.upper()}: {_WITHOUT[name]}")


def ledger(  # noqa: PLR0913  # one parameter for each option
    ctx: typer.Context,
    *,
    since: Since = "1d",
    until: Until = None,
    tenant: _Tenant = None,
    key: _Key = None,
    model: _Model = None,
    deployment: _Deployment = None,
    where: _Where = None,
    limit: Annotated[int, typer.Option(min=0, help="Rows of a table; 0: all.")] = 100,
    form: FormatOption = None,
    output: FileOption = None,
    as_json: Json = False,
) -> None:
    """Print the ledger: one row for each request, refused ones too."""
    to_write = wanted(form, as_json=as_json)
    check_target(to_write, output)
    named = {"tenant": tenant, "key_id": key, "model": model, "deployment": deployment}
    filters = given.filters(where or (), named)
    with session(ctx, as_json=as_json) as work:
        asked = filters | work.period(since, until)
        if to_write in {Format.CSV, Format.PARQUET}:
            download(work, "ledger", asked | {"format": to_write.value}, output)
            return
        pages = work.client.pages("ledger", asked)
        with target(work, output) as to:
            if to_write is Format.JSON:
                to.json_list(pages)
            else:
                _print_rows(work, to, chain.from_iterable(pages), limit)


def _refuse_options_before(ctx: typer.Context) -> None:
    """Click would take `usage --since 7d ledger` and forget the 7d."""
    given_here = [
        name
        for name in ctx.params
        if (source := ctx.get_parameter_source(name)) and source.name == "COMMANDLINE"
    ]
    if given_here:
        raise typer.BadParameter(f"options of `{ctx.invoked_subcommand}` stand behind it")


def _print_rows(work: Session, to: Output, rows: Iterator[Record], limit: int) -> None:
    first = list(islice(rows, limit) if limit else rows)
    to.table(_row_columns(work), first)
    if limit and next(rows, None) is not None:
        work.output.note(f"the first {limit} rows; --limit 0 for all, --format csv for a file")


def _usage_columns(groups: Sequence[str]) -> list[Column]:
    return [
        *(_group_column(name) for name in groups),
        Column("REQUESTS", lambda row: shown.count(row["requests"]), right=True),
        Column("REFUSED", lambda row: shown.count(row["refused"]), right=True),
        Column("INPUT", lambda row: shown.count(row["input"]), right=True),
        Column("CACHED", lambda row: shown.count(row["cached_input"]), right=True),
        Column("OUTPUT", lambda row: shown.count(row["output"]), right=True),
        Column("ESTIMATED", lambda row: shown.count(row["estimated"]), right=True),
        Column("COST", lambda row: shown.dollars(row["nano_usd"]), right=True),
        *([_saved_column()] if "cache" in groups else ()),
    ]


def _saved_column() -> Column:
    return Column("SAVED", lambda row: shown.dollars(row.get(_SAVED, 0)), right=True)


def _group_column(name: str) -> Column:
    return Column(name.upper(), lambda row: shown.text(row[name]))


def _with_total(groups: Sequence[Record], by: Sequence[str]) -> list[Record]:
    """The groups, and below several of them their sum: each row of the ledger is in one."""
    if len(groups) < 2:  # noqa: PLR2004  # of one group the sum is itself
        return list(groups)
    sums: dict[str, Any] = {name: sum(group[name] for group in groups) for name in _SUMS}
    sums[_SAVED] = sum(group.get(_SAVED, 0) for group in groups)
    return [*groups, dict.fromkeys(by) | {by[0]: "total"} | sums]


def _row_columns(work: Session) -> list[Column]:
    return [
        Column("AT", lambda row: work.moment(row["at"])),
        Column("TENANT", lambda row: shown.text(row["tenant"])),
        Column("MODEL", lambda row: shown.text(row["model"])),
        Column("DEPLOYMENT", lambda row: shown.text(row["deployment"])),
        Column("KIND", lambda row: shown.text(row["kind"])),
        Column("STATUS", lambda row: shown.text(row["status"]), right=True),
        Column("INPUT", lambda row: shown.count(row["input"]), right=True),
        Column("CACHED", lambda row: shown.count(row["cached_input"]), right=True),
        Column("OUTPUT", lambda row: shown.count(row["output"]), right=True),
        Column("COST", lambda row: shown.dollars(row["nano_usd"], 6), right=True),
        Column("FLAGS", lambda row: shown.listed(row["flags"] or None)),
        Column("REQUEST", lambda row: shown.text(row["request_id"])),
    ]
