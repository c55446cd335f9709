"""A month's statement: what each tenant and tag owes."""

from __future__ import annotations

import asyncio
from typing import IO, Annotated, Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Response
from pydantic import Field

from app.api.admin.guard import CallerOf, needs
from app.api.admin.ledger_readers import LedgerReaders
from app.api.admin.periods import Form
from app.api.admin.roles import Action, Caller
from app.api.admin.services import AdminServices
from app.api.admin.shapes import Body, Item, Zone
from app.api.admin.statement_view import StatementView, columns_of, records_of
from app.api.admin.streaming import MEDIA_TYPES
from app.domain.billing.ask import AskedStatement, Given, MistakenAsk, asked_of, shares_of
from app.domain.billing.bill import Bill
from app.domain.billing.statement import IdleRule
from app.domain.ledger.usage_query import UsageQuery, selected
from app.errors import MalformedRequest

_FORMS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {MEDIA_TYPES[form]: {} for form in (Form.CSV, Form.PARQUET)}}
}


class StatementQuery(Body):
    """Which month, broken down by what, and how; what is left out is as configured."""

    month: str | None = Field(None, description="YYYY-MM; the one under way where it is left out")
    by: str = Field("tenant", max_length=512, description="tenant, tag:NAME, with commas")
    tenant: str | None = None
    idle: IdleRule | None = Field(None, description="who owes for idle PTUs")
    time_zone: Zone | None = Field(None, description="of the month")
    currency: str | None = Field(None, pattern="^[A-Z]{3}$")
    per_usd: str | None = Field(None, description="how much of the currency a US dollar is: 0.92")
    format: Form = Form.JSON


def add_statement_route(router: APIRouter, services: AdminServices, readers: LedgerReaders) -> None:
    """Put it on the router. One bill is made at a time: each reads a month of every tenant."""
    turn = asyncio.Semaphore(1)

    @router.get(
        "/usage/statement",
        response_model=Item[StatementView],
        responses=_FORMS,
        openapi_extra=needs(Action.READ_USAGE),
    )
    async def read_statement(
        caller: CallerOf, asked: Annotated[StatementQuery, Query()]
    ) -> Item[StatementView] | Response:
        """What each tenant or tag owes for a month, the PTUs' cost shared out among them.

        A tenant-admin sees its own tenant's lines alone, to the cent as in everybody's statement.
        """
        wanted, tenant = wanted_of(asked, services), tenant_of(asked, caller)
        async with turn:
            bill = await readers.read(caller, bill_of, services, wanted, tenant)
        if asked.format is Form.JSON:
            return Item(data=StatementView.of(bill, wanted))

        def write(target: IO[bytes]) -> None:
            columns, texts = columns_of(wanted)
            records = records_of(bill, wanted)
            services.usage.write_records(columns, texts, records, asked.format, target)

        name = f"statement-{wanted.month.name}"
        return await readers.stream(caller, write, form=asked.format, name=name)


def tenant_of(asked: StatementQuery, caller: Caller) -> str | None:
    """Whose statement it is; None: everybody's. Raises UnknownEntry."""
    if asked.tenant is not None:
        caller.require_sight(asked.tenant)
    return caller.tenant or asked.tenant


def wanted_of(asked: StatementQuery, services: AdminServices) -> AskedStatement:
    """With what is configured where nothing is said. Raises MalformedRequest."""
    rules = services.billing()
    zone = ZoneInfo(asked.time_zone or rules.zone)
    given = Given(asked.month, asked.by, asked.idle, asked.currency, asked.per_usd)
    try:
        return asked_of(given, rules, zone, services.clock.unix())
    except MistakenAsk as error:
        raise MalformedRequest(f"{error.param}: {error}.", param=error.param) from error


def bill_of(services: AdminServices, asked: AskedStatement, tenant: str | None) -> Bill:
    """Read the month's ledger, every tenant's: what PTUs cost is shared out among all. Blocking."""
    since, until = asked.month.starts / 1000, asked.month.ends / 1000
    query = UsageQuery((), since, until)
    rows = selected((row for _, row in services.usage.rows(query)), query)
    shares = shares_of(asked.rules, services.store.current.tenants.values())
    return asked.bill(rows, shares, tenant)
