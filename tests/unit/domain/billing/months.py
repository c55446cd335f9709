"""Months to bill: a PTU deployment of a size that can be reckoned with, and rows it served."""

from __future__ import annotations

from datetime import UTC
from fractions import Fraction
from math import inf
from typing import Any

from app.domain.billing.period import month_named
from app.domain.billing.purchase import HourPrice, Purchase
from app.domain.billing.statement import Terms
from app.domain.ledger.ledger_row import LedgerRow
from app.domain.quota.price import PtuSize
from tests.fakes.ledger_rows import ledger_row

NOVEMBER = month_named("2026-11", UTC)
UNTIL = NOVEMBER.ends / 1000
AT = NOVEMBER.starts / 1000 + 3600
USD = 1_000_000_000


def ptu(name: str = "ptu", usd: int = 1, **fields: Any) -> Purchase:
    """One PTU at a dollar an hour, 720 in the month; it can do 43,200 input tokens in it."""
    size = PtuSize(Fraction(1), Fraction(0), Fraction(4))
    return Purchase(name, 1, **{"hours": (HourPrice(-inf, Fraction(usd)),), "size": size} | fields)


def terms(*purchases: Purchase, **fields: Any) -> Terms:
    """November's."""
    return Terms(NOVEMBER, UNTIL, purchases or (ptu(),), **fields)


def served(id_: str, tokens: int, **fields: Any) -> LedgerRow:
    """A row of so many input tokens that the PTU served."""
    own = {"deployment": "ptu", "deployment_kind": "ptu", "input": tokens, "output": 0, "at": AT}
    return ledger_row(id_, **own | fields)


def paid(id_: str, nano_usd: int, **fields: Any) -> LedgerRow:
    """A row that pay-as-you-go served."""
    own = {"deployment": "pay", "deployment_kind": "paygo", "nano_usd": nano_usd, "at": AT}
    return ledger_row(id_, **own | fields)
