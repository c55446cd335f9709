"""`spillgate limit`: a tenant's limits listed, set, removed, overridden for a while, simulated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from typing import Annotated, Any, Final, Literal

import typer

from app.cli import given, shown
from app.cli.client import AdminError, Changed, path_to
from app.cli.output import Column, Record
from app.cli.session import (
    Json,
    KeyId,
    ModelName,
    Session,
    Since,
    TenantName,
    Until,
    Yes,
    confirm,
    session,
)
from app.domain.quota.limit import RULE_NAMES, LimitName, LimitRule, Mode

#: Another administrator may change the tenant between our reading and writing.
_TRIES: Final = 3

_NAMES: Final = ", ".join(RULE_NAMES)


def _settable(name: LimitName | None) -> LimitName | None:
    if name is not None and name not in RULE_NAMES:
        raise typer.BadParameter(f"{name} is only part of what a tenant may spill: one of {_NAMES}")
    return name


_Name = Annotated[LimitName, typer.Argument(metavar="LIMIT", help=_NAMES, callback=_settable)]
_NameOrNone = Annotated[
    LimitName | None, typer.Argument(metavar="LIMIT", help=_NAMES, callback=_settable)
]
#: As `RuleMode`, in words.
_Mode = Literal["hard", "soft", "shadow"]
_Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help="Requests, tokens or dollars.")]

_PARTS: Final = tuple(each.name for each in fields(LimitRule))

#: Of the columns of a limit, those that say what it is, without its override.
_SETTING: Final = 5

Rules = list[dict[str, Any]]


def limit_commands() -> typer.Typer:
    """The group."""
    group = typer.Typer(no_args_is_help=True, help="Limits of tenants, their keys and models.")
    group.command("list")(list_limits)
    group.command("set")(set_limit)
    group.command("unset")(unset)
    group.command("override")(override)
    group.command("simulate")(simulate)
    return group


def limit_columns(work: Session) -> Sequence[Column]:
    """How limits are shown."""
    return (
        Column("LIMIT", lambda rule: shown.text(rule["name"])),
        Column("AMOUNT", lambda rule: shown.amount(rule["name"], rule["amount"]), right=True),
        Column("MODE", lambda rule: shown.text(rule.get("mode") or Mode.HARD)),
        Column("KEY", lambda rule: shown.text(rule.get("key_id") or "all")),
        Column("MODEL", lambda rule: shown.text(rule.get("model") or "all")),
        Column(
            "OVERRIDE",
            lambda rule: shown.amount(rule["name"], rule.get("override")),
            right=True,
        ),
        Column("UNTIL", lambda rule: work.moment(rule.get("override_until"))),
    )


def list_limits(ctx: typer.Context, tenant: TenantName, *, as_json: Json = False) -> None:
    """List a tenant's limits."""
    with session(ctx, as_json=as_json) as work:
        answer = work.client.get(path_to("tenants", tenant, "limits"))
        if as_json:
            work.output.json(answer)
        else:
            work.output.table(limit_columns(work), _limits(answer))


def set_limit(  # noqa: PLR0913  # one parameter for each argument and option
    ctx: typer.Context,
    tenant: TenantName,
    name: _Name,
    amount: _Amount,
    *,
    mode: Annotated[_Mode | None, typer.Option(help="Of a new limit: hard.")] = None,
    key_id: KeyId = None,
    model: ModelName = None,
    as_json: Json = False,
) -> None:
    """Set a limit of the whole tenant, or of one of its keys or models, or of both."""
    scope = {"name": name.value, "key_id": key_id, "model": model}
    new = {"amount": given.amount(name, amount)} | ({"mode": mode} if mode else {})

    def change(rules: Rules) -> Rules:
        if _find(rules, scope) is None:
            return [*rules, {"mode": Mode.HARD.value} | scope | new]
        return [rule | new if _is(rule, scope) else rule for rule in rules]

    with session(ctx, as_json=as_json) as work:
        _change(work, tenant, change)


def unset(  # noqa: PLR0913  # one parameter for each argument and option
    ctx: typer.Context,
    tenant: TenantName,
    name: _NameOrNone = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Remove all of its limits.")] = False,
    yes: Yes = False,
    key_id: KeyId = None,
    model: ModelName = None,
    as_json: Json = False,
) -> None:
    """Remove a limit, or with --all every limit of the tenant, its keys and models."""
    if every == (name is not None) or (every and (key_id or model)):
        raise typer.BadParameter("give LIMIT, or --all alone")
    if name is None:
        confirm(f"Remove all limits of tenant {tenant}?", yes=yes)
    with session(ctx, as_json=as_json) as work:
        if name is None:
            path = path_to("tenants", tenant, "limits")
            _print_change(work, work.client.send("DELETE", path))
        else:
            scope = {"name": name.value, "key_id": key_id, "model": model}
            _change(work, tenant, lambda rules: _without(rules, scope, tenant))


def override(  # noqa: PLR0913  # one parameter for each argument and option
    ctx: typer.Context,
    tenant: TenantName,
    name: _Name,
    amount: Annotated[str | None, typer.Argument(help="The amount meanwhile.")] = None,
    *,
    until: Annotated[str | None, typer.Option(help="For 2h, or up to a date or time.")] = None,
    end: Annotated[bool, typer.Option("--end", help="End the override now.")] = False,
    key_id: KeyId = None,
    model: ModelName = None,
    as_json: Json = False,
) -> None:
    """Replace a limit's amount for a while; afterwards it is what it was."""
    if end == (amount is not None or until is not None) or (amount is None) != (until is None):
        raise typer.BadParameter("give AMOUNT and --until, or --end alone")
    scope = {"name": name.value, "key_id": key_id, "model": model}
    with session(ctx, as_json=as_json) as work:
        new: dict[str, Any] = {"override": None, "override_until": 0}
        if amount is not None and until is not None:
            new = {"override": given.amount(name, amount), "override_until": work.later(until)}

        def change(rules: Rules) -> Rules:
            _must_find(rules, scope, tenant)
            return [rule | new if _is(rule, scope) else rule for rule in rules]

        _change(work, tenant, change)


def simulate(  # noqa: PLR0913  # one parameter for each argument and option
    ctx: typer.Context,
    tenant: TenantName,
    name: _Name,
    amount: _Amount,
    *,
    since: Since = "7d",
    until: Until = None,
    key_id: KeyId = None,
    model: ModelName = None,
    as_json: Json = False,
) -> None:
    """Say what a limit would have refused of what the ledger holds; nothing is changed."""
    limit = {
        "name": name.value,
        "amount": given.amount(name, amount),
        "key_id": key_id,
        "model": model,
    }
    with session(ctx, as_json=as_json) as work:
        period = {bound: float(at) for bound, at in work.period(since, until).items()}
        body = {"tenant": tenant, "limits": [_as_set(limit)]} | period
        answer = work.client.send("POST", "limits/simulate", body)
        if as_json:
            work.output.json(answer)
        else:
            outcome = answer["data"]
            work.output.table(_outcome_columns(work, outcome["requests"]), outcome["by_limit"])


def _outcome_columns(work: Session, requests: int) -> Sequence[Column]:
    """What a limit would have done to so many requests; its peak is in its own unit."""
    limit = [_of_limit(column) for column in limit_columns(work)[:_SETTING]]
    return (
        *limit,
        Column("REQUESTS", lambda _: shown.count(requests), right=True),
        Column("OVER", lambda outcome: shown.count(outcome["over"]), right=True),
        Column("FIRST OVER", lambda outcome: work.moment(outcome["first_at"])),
        Column("PEAK", _peak, right=True),
    )


def _of_limit(column: Column) -> Column:
    """The same column of an outcome, which holds its limit."""
    return replace(column, shown=lambda outcome: column.shown(outcome["limit"]))


def _peak(outcome: Record) -> str:
    peak: int = outcome["peak"]
    in_dollars = outcome["limit"]["name"].startswith("usd_")
    return shown.dollars(peak) if in_dollars else shown.count(peak)


def _change(work: Session, tenant: str, change: Callable[[Rules], Rules]) -> None:
    _print_change(work, _write(work, tenant, change))


def _print_change(work: Session, answer: Any) -> None:
    if work.as_json:
        work.output.json(answer)
        return
    work.output.table(limit_columns(work), _limits(answer))
    work.in_force(answer)


def _write(work: Session, tenant: str, change: Callable[[Rules], Rules]) -> Any:
    """Read, change and write all limits of a tenant, anew when somebody else was faster."""

    def once() -> Any:
        was = work.tenant(tenant)
        body = {"limits": [_as_set(rule) for rule in change(was["limits"])]}
        path = path_to("tenants", tenant, "limits")
        return work.client.send("PUT", path, body, version=was["version"])

    for _ in range(_TRIES - 1):
        with suppress(Changed):
            return once()
    return once()


def _as_set(rule: dict[str, Any]) -> dict[str, Any]:
    """What a rule is set by, without what it does not have and what was only shown of it."""
    parts = {part: rule[part] for part in _PARTS if rule.get(part) is not None}
    if "override" not in parts:
        parts.pop("override_until", None)
    return parts


def _limits(answer: Any) -> Rules:
    return list(answer["data"]["limits"])


def _is(rule: dict[str, Any], scope: dict[str, Any]) -> bool:
    return all(rule.get(part) == wanted for part, wanted in scope.items())


def _find(rules: Rules, scope: dict[str, Any]) -> dict[str, Any] | None:
    return next((rule for rule in rules if _is(rule, scope)), None)


def _without(rules: Rules, scope: dict[str, Any], tenant: str) -> Rules:
    _must_find(rules, scope, tenant)
    return [rule for rule in rules if not _is(rule, scope)]


def _must_find(rules: Rules, scope: dict[str, Any], tenant: str) -> None:
    if _find(rules, scope) is None:
        on = "".join(
            f" for {part.removesuffix('_id')} {wanted}"
            for part, wanted in scope.items()
            if wanted is not None and part != "name"
        )
        raise AdminError(
            f"{tenant} has no limit {scope['name']}{on}: see `spillgate limit list {tenant}`"
        )
