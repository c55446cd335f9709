"""`spillgate usage statement`: what each tenant and tag owes for a month."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Annotated, Any, Final

import typer

from app.cli import shown
from app.cli.output import Column, Output, Record
from app.cli.session import Json, session
from app.cli.written import (
    FileOption,
    Format,
    FormatOption,
    check_target,
    download,
    target,
    wanted,
)

_AMOUNTS: Final = ("paygo", "spilled", "ptu_used", "ptu_idle", "other", "owed")
#: That what is kept central counts in.
_CENTRAL: Final = ("ptu_idle", "owed")
_TITLES: Final = ("PAYGO", "SPILLED", "PTU USED", "PTU IDLE", "OTHER", "OWED")

_Month = Annotated[str | None, typer.Option(help="Such as 2026-11; default: this one so far.")]
_By = Annotated[str, typer.Option(help="tenant, tag:NAME, or several with commas.")]
_Tenant = Annotated[str | None, typer.Option("--tenant", help="Only this tenant.")]
_Idle = Annotated[
    str | None,
    typer.Option(help="Who owes for idle PTUs: share, use or central; default: configured."),
]
_Zone = Annotated[str | None, typer.Option("--time-zone", help="Of the month.")]
_Currency = Annotated[str | None, typer.Option(help="Such as EUR; default: configured.")]
_PerUsd = Annotated[str | None, typer.Option(help="How much of it a dollar is, such as 0.92.")]


def statement(  # noqa: PLR0913  # one parameter for each option
    ctx: typer.Context,
    *,
    month: _Month = None,
    by: _By = "tenant",
    tenant: _Tenant = None,
    idle: _Idle = None,
    time_zone: _Zone = None,
    currency: _Currency = None,
    per_usd: _PerUsd = None,
    form: FormatOption = None,
    output: FileOption = None,
    as_json: Json = False,
) -> None:
    """What each tenant or tag owes for a month: pay-as-you-go, spilled, its part of the PTUs."""
    to_write = wanted(form, as_json=as_json)
    check_target(to_write, output)
    given = {
        "month": month,
        "by": by,
        "tenant": tenant,
        "idle": idle,
        "time_zone": time_zone,
        "currency": currency,
        "per_usd": per_usd,
    }
    asked = {name: value for name, value in given.items() if value is not None}
    with session(ctx, as_json=as_json) as work:
        if to_write in {Format.CSV, Format.PARQUET}:
            download(work, "usage/statement", asked | {"format": to_write.value}, output)
            return
        answer = work.client.get("usage/statement", asked)
        with target(work, output) as to:
            if to_write is Format.JSON:
                to.json(answer)
            else:
                show(to, answer["data"])


def show(to: Output, found: Record) -> None:
    """Lines with their sum, the PTUs, and how it adds up."""
    to.lines([_heading(found), ""])
    to.table(_line_columns(found["by"]), [*found["lines"], *_below(found)])
    if found["ptus"]:
        to.lines([""])
        to.table(_PTUS, found["ptus"])
    if found["check"]:
        to.lines(["", _adds_up(found["check"])])


def _heading(found: Record) -> str:
    rate = "" if found["per_usd"] == "1" else f" at {found['per_usd']} a dollar"
    so_far = "" if found["complete"] else ", so far"
    idle = {"share": "by guaranteed share", "use": "by use", "central": "kept central"}
    return (
        f"{found['month']}{so_far} ({found['time_zone']}), in {found['currency']}{rate}; "
        f"idle PTUs {idle.get(found['idle'], found['idle'])}"
    )


def _below(found: Record) -> Iterator[Record]:
    """What is kept central, and the whole, which it is part of."""
    first, none, central = found["by"][0], dict.fromkeys(found["by"]), found["central"]
    amounts = dict(found["total"]["amounts"])
    if central is not None:
        kept = dict.fromkeys(_AMOUNTS) | {"ptu_idle": central, "owed": central}
        counts = dict.fromkeys(("requests", "spilled_tokens", "saved"))
        yield none | counts | {first: "(central)", "amounts": kept}
        amounts |= {name: f"{Decimal(amounts[name]) + Decimal(central)}" for name in _CENTRAL}
    yield none | found["total"] | {first: "total", "amounts": amounts}


def _line_columns(by: Sequence[str]) -> list[Column]:
    return [
        *(_value_column(name) for name in by),
        Column("REQUESTS", lambda row: shown.count(row["requests"]), right=True),
        Column("SPILLED TOKENS", lambda row: shown.count(row["spilled_tokens"]), right=True),
        *(_amount_column(*each) for each in zip(_TITLES, _AMOUNTS, strict=True)),
        Column("CACHE SAVED", lambda row: shown.text(row["saved"]), right=True),
    ]


def _value_column(name: str) -> Column:
    return Column(name.upper(), lambda row: shown.text(row[name]))


def _amount_column(title: str, name: str) -> Column:
    return Column(title, lambda row: shown.text(row["amounts"][name]), right=True)


def _used(row: Record) -> str:
    return shown.NONE if not row["capacity"] else f"{row['work'] / row['capacity']:.1%}"


def _usd(name: str) -> Any:
    return lambda row: shown.dollars(row[name], 2)


def _adds_up(check: Record) -> str:
    ledger, charged, cost, owed = (
        shown.dollars(check[f"{name}_nano_usd"], 2)
        for name in ("ledger", "ptu_charged", "ptu_cost", "owed")
    )
    return (
        f"ledger {ledger} - charged for PTUs {charged} + cost of PTUs {cost} = {owed}, "
        "central included"
    )


_PTUS: Final = (
    Column("DEPLOYMENT", lambda row: shown.text(row["deployment"])),
    Column("PTUS", lambda row: shown.count(row["ptus"]), right=True),
    Column("TERM", lambda row: shown.text(row["term"])),
    Column("COST", _usd("nano_usd"), right=True),
    Column("IN USE", _used, right=True),
    Column("USED", _usd("used_nano_usd"), right=True),
    Column("IDLE", _usd("idle_nano_usd"), right=True),
    Column("CENTRAL", _usd("central_nano_usd"), right=True),
)
