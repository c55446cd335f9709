"""A statement as the admin API tells it: amounts as text in the currency, and exact in nano-USD."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from app.domain.billing.ask import AskedStatement
from app.domain.billing.bill import AMOUNTS, Bill, Line
from app.domain.billing.currency import Currency
from app.domain.billing.spent import Part, Sums
from app.domain.billing.statement import PtuBill, Statement

_OWED: Final = "owed"
_COUNTS: Final = (
    "requests",
    "input",
    "cached_input",
    "output",
    "spilled_requests",
    "spilled_tokens",
    "cached_requests",
    "saved_nano_usd",
)


class AmountsView(BaseModel):
    """What is owed and for what, in the statement's currency; the parts add up to `owed`."""

    paygo: str = Field(description="pay-as-you-go, without what spilled")
    spilled: str = Field(description="pay-as-you-go, for the PTUs were full")
    ptu_used: str = Field(description="of the PTUs' cost, by use")
    ptu_idle: str = Field(description="of the PTUs' cost, for what stood idle")
    other: str = Field(description="of deployments that are no longer configured")
    owed: str = Field(description="all of it")


class ExactView(BaseModel):
    """The same in billionths of a US dollar."""

    paygo: int
    spilled: int
    ptu_used: int
    ptu_idle: int
    other: int
    owed: int


class LineView(BaseModel):
    """One tenant or tag: its values beside these. Tokens of all its requests."""

    model_config = ConfigDict(extra="allow")

    requests: int = Field(description="charged; `spilled_` and `cached_requests` are some of them")
    input: int = Field(description="tokens")
    cached_input: int = Field(description="part of `input`")
    output: int = Field(description="tokens")
    spilled_requests: int = Field(description="served by pay-as-you-go, for the PTUs were full")
    spilled_tokens: int
    cached_requests: int = Field(description="answered from the cache")
    saved_nano_usd: int = Field(description="what those would have cost")
    saved: str = Field(description="the same in the currency")
    amounts: AmountsView
    nano_usd: ExactView

    @classmethod
    def of(cls, line: Line, asked: AskedStatement) -> LineView:
        """As it is shown."""
        counts, shown = _counts(line), asked.currency.shown
        values = dict(zip(asked.by, line.key, strict=False))
        return cls(
            **counts,
            saved=shown(asked.currency.units(counts["saved_nano_usd"])),
            amounts=AmountsView(**_amounts(line, asked.currency)),
            nano_usd=ExactView(
                **dict(zip(AMOUNTS, line.nano_usd, strict=True)), owed=line.owed_nano_usd
            ),
            **values,
        )


class PtuView(BaseModel):
    """One deployment's PTUs; nano-dollars, and input tokens' worth of work."""

    deployment: str
    ptus: int
    term: str
    reserved: int = Field(description="PTUs of a reservation; the others are paid by the hour")
    nano_usd: int = Field(description="what they cost; used and idle add up to it")
    used_nano_usd: int
    idle_nano_usd: int
    central_nano_usd: int = Field(description="of the idle part, what nobody owes for")
    charged_nano_usd: int = Field(description="what its requests were charged in the ledger")
    work: float = Field(description="input tokens' worth that it served")
    capacity: float | None = Field(description="that it could have served; null: nobody knows")

    @classmethod
    def of(cls, bill: PtuBill) -> PtuView:
        """As it is shown."""
        return cls(
            deployment=bill.purchase.deployment,
            ptus=bill.purchase.ptus,
            term=bill.purchase.term,
            reserved=bill.purchase.reserved,
            nano_usd=bill.cost,
            used_nano_usd=bill.used,
            idle_nano_usd=bill.idle,
            central_nano_usd=bill.central,
            charged_nano_usd=bill.charged,
            work=float(bill.work),
            capacity=None if bill.capacity is None else float(bill.capacity),
        )


class CheckView(BaseModel):
    """How it adds up: ledger - ptu_charged + ptu_cost = owed (with what is central)."""

    ledger_nano_usd: int = Field(description="all that was charged in the month")
    ptu_charged_nano_usd: int = Field(description="of that, requests that PTUs served")
    ptu_cost_nano_usd: int = Field(description="what the PTUs cost")
    owed_nano_usd: int

    @classmethod
    def of(cls, stated: Statement) -> CheckView:
        """As it is shown."""
        return cls(
            ledger_nano_usd=stated.ledger,
            ptu_charged_nano_usd=sum(each.charged for each in stated.ptus),
            ptu_cost_nano_usd=sum(each.cost for each in stated.ptus),
            owed_nano_usd=stated.owed,
        )


class StatementView(BaseModel):
    """A month; `ptus`, `central` and `check` are null in the statement of one tenant."""

    month: str
    time_zone: str
    since: float = Field(description="Unix seconds")
    until: float = Field(description="Unix seconds; now where the month is not over")
    complete: bool = Field(description="whether the month is over")
    currency: str
    per_usd: str = Field(description="how much of it a US dollar is")
    idle: str = Field(description="who owes for idle PTUs: share, use or central")
    by: list[str]
    lines: list[LineView]
    total: LineView = Field(description="of the lines")
    central: str | None = Field(description="idle PTUs that nobody owes for")
    ptus: list[PtuView] | None
    check: CheckView | None

    @classmethod
    def of(cls, bill: Bill, asked: AskedStatement) -> StatementView:
        """As it is shown."""
        stated, whole = bill.statement, bill.central is not None
        return cls(
            month=asked.month.name,
            time_zone=str(asked.zone),
            since=asked.month.starts / 1000,
            until=asked.until,
            complete=asked.is_complete,
            currency=asked.currency.code,
            per_usd=f"{float(asked.currency.per_usd):g}",
            idle=asked.idle,
            by=list(asked.by),
            lines=[LineView.of(line, asked) for line in bill.lines],
            total=LineView.of(bill.total, asked),
            central=None if bill.central is None else asked.currency.shown(bill.central),
            ptus=[PtuView.of(each) for each in stated.ptus] if whole else None,
            check=CheckView.of(stated) if whole else None,
        )


def columns_of(asked: AskedStatement) -> tuple[tuple[str, ...], frozenset[str]]:
    """A table's columns, and which of them are text."""
    amounts = (*AMOUNTS, _OWED)
    columns = ("line", *asked.by, *_COUNTS, "currency", *amounts, "owed_nano_usd")
    return columns, frozenset({"line", *asked.by, "currency", *amounts})


def records_of(bill: Bill, asked: AskedStatement) -> Iterator[Mapping[str, Any]]:
    """A record for each line, and one for what is kept central; their sum is the whole."""
    code = {"currency": asked.currency.code}
    for line in bill.lines:
        values = dict(zip(asked.by, line.key, strict=True))
        amounts, exact = _amounts(line, asked.currency), line.owed_nano_usd
        counts = _counts(line)
        yield {"line": "account", **values, **counts, **code, **amounts, "owed_nano_usd": exact}
    if bill.central is not None:
        owed = asked.currency.shown(bill.central)
        nothing = dict.fromkeys(AMOUNTS, asked.currency.shown(0))
        amounts = {**nothing, "ptu_idle": owed, _OWED: owed}
        empty = dict.fromkeys(asked.by) | dict.fromkeys(_COUNTS, 0)
        exact = bill.statement.central
        yield {"line": "central", **empty, **code, **amounts, "owed_nano_usd": exact}


def _amounts(line: Line, currency: Currency) -> dict[str, str]:
    shown = {name: currency.shown(of) for name, of in zip(AMOUNTS, line.units, strict=True)}
    return {**shown, _OWED: currency.shown(line.owed)}


def _counts(line: Line) -> dict[str, int]:
    every = [*line.parts.values()]
    spilled, cached = (line.parts.get(part, Sums()) for part in (Part.SPILLED, Part.CACHED))
    return {
        "requests": sum(each.requests for each in every),
        "input": sum(each.input for each in every),
        "cached_input": sum(each.cached_input for each in every),
        "output": sum(each.output for each in every),
        "spilled_requests": spilled.requests,
        "spilled_tokens": spilled.tokens,
        "cached_requests": cached.requests,
        "saved_nano_usd": sum(each.saved_nano_usd for each in every),
    }
