"""The options of `spillgate tenant create` and `update`, and what they say as the API's fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Final

import typer

from app.cli import given
from app.domain.capacity.shares import RequestClass
from app.domain.identity.route_policy import Spill
from app.domain.identity.tenant import LossPolicy
from app.domain.quota.limit import LimitName

KINDS: Final = ("applications", "objects", "groups")
_CLASSES: Final = [each.name.lower() for each in sorted(RequestClass, reverse=True)]
_BUDGETS: Final = (LimitName.USD_PER_HOUR, LimitName.USD_PER_DAY)

Models = Annotated[str | None, typer.Option("--models", help="Names with commas: a,b.")]
Zone = Annotated[str | None, typer.Option("--time-zone", help="IANA name: Europe/Berlin.")]
Loss = Annotated[LossPolicy | None, typer.Option("--redis-loss", help="While Redis is gone.")]
TraceContent = Annotated[
    bool | None,
    typer.Option(
        "--trace-content/--no-trace-content",
        help="Whether traces may hold its prompts and answers.",
    ),
]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="name=value; repeatable.")]
Class = Annotated[str | None, typer.Option("--class", help=f"{', '.join(_CLASSES)}.")]
Share = Annotated[
    float | None, typer.Option("--ptu-share", help="Guaranteed part of each PTU, 0 to 1.")
]
Weight = Annotated[
    float | None, typer.Option("--ptu-weight", help="For what nobody is guaranteed; usually 1.")
]
MaySpill = Annotated[
    str | None,
    typer.Option("--spill", help="allow, deny, usd_per_hour=5, usd_per_day=50, or both: a=5,b=50."),
]
Zones = Annotated[str | None, typer.Option("--data-zones", help="The only ones: us,eu.")]
Regions = Annotated[str | None, typer.Option("--regions", help="The only ones: eastus,westus.")]
Applications = Annotated[
    list[str] | None, typer.Option("--entra-application", help="An appid or azp; repeatable.")
]
Objects = Annotated[
    list[str] | None, typer.Option("--entra-object", help="A user's or identity's oid; repeatable.")
]
Groups = Annotated[
    list[str] | None, typer.Option("--entra-group", help="A group's object id; repeatable.")
]
Unmapped = Annotated[
    list[str] | None, typer.Option("--remove-entra", help="An id that was mapped; repeatable.")
]


def fields(options: Mapping[str, object]) -> dict[str, Any]:
    """The API's fields by what was given on the command line; None was not given."""
    return {
        name: _READ.get(name, _as_it_is)(value)
        for name, value in options.items()
        if value is not None
    }


def unbound(**flags: bool) -> dict[str, None]:
    """Fields that are to be null, which is everything there is."""
    return {name: None for name, flag in flags.items() if flag}


def entra(*given_ids: Iterable[str] | None) -> dict[str, list[str]]:
    """Ids of applications, objects and groups by their kind; kinds that were not given left out."""
    return {kind: list(ids) for kind, ids in zip(KINDS, given_ids, strict=True) if ids}


def with_ids(
    kept: Mapping[str, list[str]], added: Mapping[str, list[str]], removed: Iterable[str]
) -> dict[str, list[str]]:
    """All ids after a change. Raises BadParameter for one to be removed that is not there."""
    gone = {each.lower() for each in removed}
    if strangers := gone - {each for ids in kept.values() for each in ids}:
        raise typer.BadParameter(f"not mapped to this tenant: {', '.join(sorted(strangers))}")
    left = {kind: [each for each in kept[kind] if each not in gone] for kind in KINDS}
    new = {kind: [each.lower() for each in added.get(kind, ())] for kind in KINDS}
    return {kind: list(dict.fromkeys(left[kind] + new[kind])) for kind in KINDS}


def _class(value: str) -> str:
    if value not in _CLASSES:
        raise typer.BadParameter(f"{value!r} is no class: one of {', '.join(_CLASSES)}")
    return value


def _spill(value: str) -> str | dict[str, float]:
    """`allow`, `deny`, or budgets: `usd_per_hour=5,usd_per_day=50`, or one of them."""
    if value in list(Spill):
        return value
    parts = [part.partition("=") for part in value.split(",")]
    known = ((LimitName(name), usd) for name, _, usd in parts if name in _BUDGETS)
    budgets = {name.value: given.amount(name, usd) for name, usd in known}
    if len(budgets) < len(parts):
        forms = " or ".join(f"{name}=AMOUNT" for name in _BUDGETS)
        raise typer.BadParameter(f"{value!r} is none of allow, deny, {forms}, or both with a comma")
    return budgets


def _as_it_is(value: Any) -> Any:
    return value


_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    "models": given.names,
    "redis_loss": lambda policy: policy.value,
    "class": _class,
    "spill": _spill,
    "data_zones": given.names,
    "regions": given.names,
}
