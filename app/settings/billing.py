"""The section about statements: how PTUs are paid for, and in which currency and time zone."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from app.settings.day import day
from app.settings.section import Float, Int, Name, Section, Text

_Day = Annotated[date, BeforeValidator(day)]


def _known_zone(value: str) -> str:
    if value not in available_timezones():
        msg = "is no IANA time zone such as Europe/Berlin"
        raise ValueError(msg)
    return value


class PtuPurchase(Section):
    """How one deployment's PTUs are paid for."""

    term: Literal["hourly", "monthly", "yearly"] = "hourly"
    """By the hour, or by a reservation for a month or a year."""
    usd_per_ptu: Annotated[Float, Field(ge=0, le=10_000_000)] | None = None
    """Of one reserved PTU for the whole term; None: the model catalogue's."""
    reserved: Annotated[Int, Field(ge=1)] | None = None
    """How many are reserved; the others are paid by the hour. None: all."""
    since: _Day | None = Field(default=None, alias="from")
    """The first day, UTC, on which it is paid for; None: since ever."""
    until: _Day | None = None
    """The last day, UTC; None: it goes on."""


class Billing(Section):
    """How a month's statement is made."""

    time_zone: Annotated[Text, AfterValidator(_known_zone)] = "UTC"
    """Of the month. Azure's invoices are in UTC."""
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = "USD"
    """What is owed is shown in it, by its code of ISO 4217."""
    per_usd: Annotated[Float, Field(gt=0, le=1_000_000)] | None = None
    """How much of it one US dollar is; needed where it is not USD."""
    idle: Literal["share", "use", "central"] = "share"
    """Who owes for idle PTUs: by guaranteed share, by use, or nobody."""
    ptus: dict[Name, PtuPurchase] = Field(default_factory=dict)
    """By deployment; one that is not here is paid by the hour."""
