"""Sections about who asks for what: models and their tiers, tenants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from app.settings.caching import CacheRules
from app.settings.callers import TenantCallers
from app.settings.policy import InputPolicyRules
from app.settings.section import Float, Int, Name, Secret, Section, Text
from app.settings.tag_format import MAX_TAGS, name_fault, value_fault
from app.settings.tiers import MAX_WEIGHT, TIERS_SCHEMA, WeightedTarget, normalised_tiers

SPILL_FORMS: Final = "must be allow, deny or a mapping with usd_per_hour, usd_per_day or both"

SpillChoice = Literal["allow", "deny"]
RequestClass = Literal["critical", "interactive", "standard", "batch"]
RedisLoss = Literal["local_share", "fail_closed", "fail_open"]


class Model(Section):
    """A name that applications ask for, and where it is served. `name` is its key in the file.

    Exactly one of `tiers` and `alias` is set.
    """

    name: str
    tiers: Annotated[
        tuple[tuple[WeightedTarget, ...], ...],
        BeforeValidator(normalised_tiers),
        WithJsonSchema(TIERS_SCHEMA),
    ] = ()
    """Each tier is used before the next; weights rank within a tier."""
    alias: Name | None = None
    """Another model, which serves it."""
    cache: CacheRules = CacheRules()
    """Which caches answer for it."""


_Count = Annotated[Int, Field(ge=0)]
Share = Annotated[Float, Field(ge=0, le=1)]
Weight = Annotated[Float, Field(gt=0, le=MAX_WEIGHT)]
Places = Annotated[tuple[Text, ...], Field(min_length=1, max_length=100)]
"""Data zones or regions. None at all would be no place: None stands for any."""
_Money = Annotated[Float, Field(ge=0)]


class TenantLimits(Section):
    """A tenant's limits; None is no limit, zero is a limit of zero. Money in US dollars."""

    rps: Annotated[Float, Field(ge=0)] | None = None
    """Requests a second."""
    rpm: _Count | None = None
    """Requests a minute."""
    tpm: _Count | None = None
    """Tokens a minute."""
    concurrency: _Count | None = None
    """Requests at once."""
    requests_per_day: _Count | None = None
    """Requests in a day of its time zone."""
    tokens_per_day: _Count | None = None
    """Tokens in a day of its time zone."""
    tokens_per_month: _Count | None = None
    """Tokens in a calendar month of its time zone."""
    usd_per_day: _Money | None = None
    """US dollars in a day of its time zone."""
    usd_per_month: _Money | None = None
    """US dollars in a calendar month of its time zone."""


class SpillBudget(Section):
    """Spilling is allowed up to so much money an hour, and so much a day; one is said at least.

    Both are calendar windows in the tenant's time zone.
    """

    usd_per_hour: _Money | None = None
    """US dollars an hour."""
    usd_per_day: _Money | None = None
    """US dollars a day."""

    @model_validator(mode="after")
    def _says_how_much(self) -> Self:
        if self.usd_per_hour is None and self.usd_per_day is None:
            raise PydanticCustomError("spill_form", SPILL_FORMS)
        return self


def _spill_form(value: object) -> str | None:
    if isinstance(value, Mapping | SpillBudget):
        return "budget"
    return "choice" if value in ("allow", "deny") else None


Spill = Annotated[
    Annotated[SpillChoice, Tag("choice")] | Annotated[SpillBudget, Tag("budget")],
    Discriminator(
        _spill_form,
        custom_error_type="spill_form",
        custom_error_message=SPILL_FORMS,
    ),
]


def _known_zone(value: str) -> str:
    if value not in available_timezones():
        msg = "is no IANA time zone such as Europe/Berlin"
        raise ValueError(msg)
    return value


def _tag_name(name: str) -> str:
    if fault := name_fault(name):
        raise ValueError(fault)
    return name


def _tag_value(value: str) -> str:
    if fault := value_fault(value):
        raise ValueError(fault)
    return value


Tags = Annotated[
    dict[Annotated[str, AfterValidator(_tag_name)], Annotated[str, AfterValidator(_tag_value)]],
    Field(max_length=MAX_TAGS),
]


class Tenant(Section):
    """A tenant's seed. `name` is its key in the file."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    name: str
    keys: tuple[Secret, ...] = ()
    """Its keys; `spillgate key new` makes one."""
    entra: TenantCallers = TenantCallers()
    """Whose tokens are its."""
    models: tuple[Name, ...] | None = None
    """Names of `models:`; None is all of them."""
    request_class: RequestClass = Field(default="standard", alias="class")
    """Who goes first where room is short."""
    limits: TenantLimits = TenantLimits()
    """Quotas and budgets."""
    ptu_share: Share | None = None
    """Guaranteed share of each PTU deployment, 0 to 1."""
    ptu_weight: Weight = 1.0
    """Against other tenants, for what is guaranteed to nobody."""
    spill: Spill = "allow"
    """Whether its requests may leave the PTUs, or for how much money."""
    data_zones: Places | None = None
    """Values of deployments' `data_zone`; None is any."""
    regions: Places | None = None
    """Values of deployments' `region`; None is any."""
    redis_loss: RedisLoss = "local_share"
    """What it may do while Redis is away."""
    trace_content: bool = False
    """Whether its prompts and answers may be in traces, where `tracing.content` allows it."""
    time_zone: Annotated[Text, AfterValidator(_known_zone)] = "UTC"
    """Where this tenant's days and months begin: an IANA name."""
    tags: Tags = Field(default_factory=dict)
    """What its usage can be grouped by, such as a cost centre."""
    cache: CacheRules = CacheRules()
    """Which caches answer it."""
    policy: InputPolicyRules = InputPolicyRules()
    """What its requests may ask for."""
