"""Where a tenant's requests may go, as the admin API takes, checks and shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from app.api.admin.services import AdminServices
from app.api.admin.shapes import Body, distinct
from app.domain.capacity.shares import RequestClass
from app.domain.identity.route_policy import RoutePolicy, Spill
from app.errors import MalformedRequest
from app.settings import SpillBudget
from app.settings.tenancy import SPILL_FORMS, Places, Share, SpillChoice, Weight
from app.settings.tenancy import RequestClass as ClassName

#: As much as nano-dollars can count within the whole numbers that a double holds exactly.
_MOST_USD: Final = 9_000_000


def _spill(value: object) -> object:
    """The form is checked as a whole, so that an error names the field and not its variant."""
    if isinstance(value, Mapping):
        try:
            value = SpillBudget.model_validate(value)
        except ValidationError:
            raise PydanticCustomError("spill", SPILL_FORMS) from None
    if isinstance(value, SpillBudget):
        for name, usd in value.model_dump(exclude_none=True).items():
            if usd > _MOST_USD:
                raise PydanticCustomError("spill", f"{name} can be at most {_MOST_USD} dollars")
    elif value not in ("allow", "deny"):  # a tuple: it may not be hashable
        raise PydanticCustomError("spill", SPILL_FORMS)
    return value


_Spill = Annotated[SpillChoice | SpillBudget, BeforeValidator(_spill)]
_Distinct = Annotated[Places, AfterValidator(distinct)]


class RoutingBody(Body):
    """The fields of a tenant that say where its requests may go and how much they matter."""

    request_class: ClassName = Field(
        "standard", alias="class", description="where there is not enough, the lowest spills first"
    )
    ptu_share: Share = Field(0.0, description="guaranteed part of each PTU deployment, 0 to 1")
    ptu_weight: Weight = Field(1.0, description="against others, for what is guaranteed to nobody")
    spill: _Spill = Field("allow", description="whether requests may leave the first tier")
    data_zones: _Distinct | None = Field(None, description="of deployments; null: any")
    regions: _Distinct | None = Field(None, description="of deployments; null: any")


class RoutingView(BaseModel):
    """The same as it is shown."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    request_class: ClassName = Field(alias="class")
    ptu_share: float
    ptu_weight: float
    spill: SpillChoice | dict[Literal["usd_per_hour", "usd_per_day"], float]
    data_zones: list[str] | None
    regions: list[str] | None


def _spill_of(spill: str | SpillBudget) -> dict[str, Any]:
    if isinstance(spill, SpillBudget):
        budgets = {f"spill_{name}": usd for name, usd in spill.model_dump().items()}
        return {"spill": Spill.ALLOW, **budgets}
    return {"spill": Spill(spill), "spill_usd_per_hour": None, "spill_usd_per_day": None}


def _set(names: Iterable[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


#: Fields of `RoutingBody` as a policy has them.
_KEPT: Final[Mapping[str, Callable[[Any], dict[str, Any]]]] = {
    "request_class": lambda name: {"request_class": RequestClass[name.upper()]},
    "ptu_share": lambda share: {"ptu_share": share},
    "ptu_weight": lambda weight: {"weight": weight},
    "spill": _spill_of,
    "data_zones": lambda zones: {"data_zones": _set(zones)},
    "regions": lambda regions: {"regions": _set(regions)},
}


def shown(policy: RoutePolicy) -> dict[str, Any]:
    """A policy as the fields of a RoutingView."""
    return {
        "request_class": policy.request_class.name.lower(),
        "ptu_share": policy.ptu_share,
        "ptu_weight": policy.weight,
        "spill": policy.spill_budgets or policy.spill.value,
        "data_zones": _listed(policy.data_zones),
        "regions": _listed(policy.regions),
    }


def merged(policy: RoutePolicy, given: Mapping[str, Any]) -> RoutePolicy:
    """The policy with the given fields in place of its own; other names are passed over."""
    changes: dict[str, Any] = {}
    for name in given.keys() & _KEPT.keys():
        changes |= _KEPT[name](given[name])
    return replace(policy, **changes)


def check_places(services: AdminServices, body: RoutingBody) -> None:
    """Raise MalformedRequest for a place in which no deployment is: nothing could be served."""
    deployments = services.deployments().data
    _check("data_zones", "data zone", body.data_zones, {each.data_zone for each in deployments})
    _check("regions", "region", body.regions, {each.region for each in deployments})


def _check(field: str, noun: str, names: Iterable[str] | None, known: set[str]) -> None:
    for name in names or ():
        if name not in known:
            there = ", ".join(sorted(known - {""})) or "none"
            message = f"{field}: no deployment is in the {noun} {name[:64]!r}; there are: {there}."
            raise MalformedRequest(message, param=field)


def _listed(names: Iterable[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)
