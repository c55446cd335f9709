"""`spillgate deployment`: deployments listed, shown, drained, enabled, weighted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer

from app.cli import shown
from app.cli.client import AdminError, path_to
from app.cli.output import Column, Record
from app.cli.session import Json, ModelName, Session, session

#: In place of a weight: back to the config's.
CONFIGURED: Final = "config"

_Name = Annotated[str, typer.Argument(metavar="DEPLOYMENT", help="Its name in the config.")]
_Weight = Annotated[
    str, typer.Argument(metavar="WEIGHT", help="Above 0; `config` for the config's own.")
]

_SHARES: Final = (
    Column("TENANT", lambda share: shown.text(share["tenant"])),
    Column("PART", lambda share: shown.percent(share["part"]), right=True),
)
_PLACES: Final = (
    Column("MODEL", lambda place: shown.text(place["model"])),
    Column("TIER", lambda place: shown.count(place["tier"]), right=True),
    Column("WEIGHT", lambda place: shown.count(place["weight"]), right=True),
    Column("CONFIGURED", lambda place: shown.count(place["configured_weight"]), right=True),
)


def deployment_commands() -> typer.Typer:
    """The group."""
    group = typer.Typer(no_args_is_help=True, help="Deployments, and what operators make of them.")
    group.command("list")(list_deployments)
    group.command("show")(show)
    group.command("drain")(drain)
    group.command("enable")(enable)
    group.command("weight")(weigh)
    return group


def list_deployments(ctx: typer.Context, *, as_json: Json = False) -> None:
    """List the deployments as they are now."""
    with session(ctx, as_json=as_json) as work:
        work.list_all(_columns(work), "deployments")


def show(ctx: typer.Context, name: _Name, *, as_json: Json = False) -> None:
    """Show a deployment, where it serves, and which tenants may use which part of it."""
    with session(ctx, as_json=as_json) as work:
        answer = work.client.get(path_to("deployments", name))
        if as_json:
            work.output.json(answer)
            return
        found = answer["data"]
        work.output.table(_columns(work), [found])
        work.output.lines([""])
        work.output.table(_PLACES, found["serves"])
        if found["shares"]:
            shares = sorted(found["shares"].items())
            work.output.lines([""])
            work.output.table(_SHARES, [{"tenant": name, "part": part} for name, part in shares])


def drain(ctx: typer.Context, name: _Name, *, as_json: Json = False) -> None:
    """Send it no new requests; streams under way and responses stored on it go on."""
    with session(ctx, as_json=as_json) as work:
        _patch(work, name, {"state": "draining"})


def enable(ctx: typer.Context, name: _Name, *, as_json: Json = False) -> None:
    """Send it requests again."""
    with session(ctx, as_json=as_json) as work:
        _patch(work, name, {"state": "enabled"})


def weigh(
    ctx: typer.Context,
    name: _Name,
    weight: _Weight,
    *,
    model: ModelName = None,
    as_json: Json = False,
) -> None:
    """Change its weight within its tier, for one model or all that it serves."""
    wanted = _weight(weight)
    with session(ctx, as_json=as_json) as work:
        models = [model] if model is not None else _served(work, name)
        _patch(work, name, {"weights": dict.fromkeys(models, wanted)})


def _weight(given: str) -> float | None:
    if given == CONFIGURED:
        return None
    try:
        weight = float(given)
    except ValueError:
        weight = 0.0
    if not 0 < weight < float("inf"):
        raise typer.BadParameter(f"{given!r} is neither a weight above 0 nor `{CONFIGURED}`")
    return weight


def _served(work: Session, name: str) -> list[str]:
    found = work.client.get(path_to("deployments", name))["data"]
    models = [place["model"] for place in found["serves"]]
    if not models:
        raise AdminError(f"{shown.text(name)} serves no model: it has no weight")
    return models


def _patch(work: Session, name: str, body: dict[str, Any]) -> None:
    answer = work.client.send("PATCH", path_to("deployments", name), body)
    work.changed(_columns(work), answer)


def _columns(work: Session) -> Sequence[Column]:
    return (
        Column("DEPLOYMENT", lambda each: shown.text(each["name"])),
        Column("KIND", lambda each: shown.text(each["kind"])),
        Column("MODEL", lambda each: shown.text(each["model"])),
        Column("REGION", lambda each: shown.text(each["region"])),
        Column("CAPACITY", _capacity),
        Column("STATE", lambda each: shown.text(each["state"])),
        Column("USED", lambda each: shown.percent(each["utilization"]), right=True),
        Column("HELD FOR", _held, right=True),
        Column("HEALTH", lambda each: shown.text(each["health"]["status"])),
        Column("UNTIL", lambda each: work.moment(each["health"]["until"])),
    )


def _capacity(each: Record) -> str:
    """`50 PTU`, or `450,000 TPM, 2,700 RPM`; with what Azure has lowered it to."""
    units = (("ptus", "PTU"), ("tpm", "TPM"), ("rpm", "RPM"))
    said = [(each["capacity"].get(name), unit) for name, unit in units]
    said.append((each.get("lowered_tpm"), "TPM now"))
    return shown.listed([f"{shown.count(amount)} {unit}" for amount, unit in said if amount])


def _held(each: Record) -> str:
    held_s = each["held_for_ms"] / 1000
    return f"{held_s:.1f} s" if held_s else shown.NONE
