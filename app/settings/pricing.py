"""Sections about money: prices that hold instead of the model catalogue's, and of the unknown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Final

from pydantic import BeforeValidator, Discriminator, Field, Tag

from app.settings.day import day
from app.settings.section import Float, Name, Section, Text

PERIODS_FORM: Final = "must be a mapping of prices, or a list of such mappings with from"

# A token for more than a dollar is a slip of units.
_Usd = Annotated[Float, Field(ge=0, le=1_000_000)]
_UsdAboveZero = Annotated[_Usd, Field(gt=0)]


class PriceOverride(Section):
    """Prices in US dollars; what is left out is as it would be without this."""

    since: Annotated[date, BeforeValidator(day)] | None = Field(default=None, alias="from")
    """The first day, UTC, on which they hold; None: since ever."""
    usd_per_million_input: _Usd | None = None
    """Input that was not cached."""
    usd_per_million_cached_input: _Usd | None = None
    """Left out beside an input price: as before, but at most the input price."""
    usd_per_million_output: _Usd | None = None
    """Output, reasoning included."""
    usd_per_ptu_hour: _Usd | None = None
    """One PTU for an hour."""


class MaximumPrice(Section):
    """What tokens cost whose price nobody knows; cached input costs as much as any."""

    usd_per_million_input: _UsdAboveZero
    """Input, cached or not."""
    usd_per_million_output: _UsdAboveZero
    """Output."""


def _form(value: object) -> str | None:
    if isinstance(value, Mapping | PriceOverride):
        return "one"
    return "list" if isinstance(value, list | tuple) else None


PriceOverrides = Annotated[
    Annotated[PriceOverride, Tag("one")] | Annotated[tuple[PriceOverride, ...], Tag("list")],
    Discriminator(
        _form,
        custom_error_type="price_periods",
        custom_error_message=PERIODS_FORM,
    ),
]


class Prices(Section):
    """Prices as the operator's agreement has them. What is written here is what is charged.

    The Data Zone's factor applies to the catalogue's prices alone.
    """

    usd_per_ptu_hour: _Usd | None = None
    """Of every PTU deployment that has none of its own; None: the catalogue's."""
    maximum: MaximumPrice | None = None
    """None: the catalogue's highest prices."""
    models: dict[Text, PriceOverrides] = Field(default_factory=dict)
    """By base model: tokens of its PAYGO deployments, PTU hours of its PTU deployments."""
    deployments: dict[Name, PriceOverrides] = Field(default_factory=dict)
    """By deployment, before those by model. Token prices of a PTU replace its hour's."""


def overrides_of(given: PriceOverride | tuple[PriceOverride, ...] | None) -> list[PriceOverride]:
    """One override or several, in the order of their beginning."""
    listed = given if isinstance(given, tuple) else [given] if given else []
    return sorted(listed, key=lambda override: override.since or date.min)
