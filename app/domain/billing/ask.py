"""What statement is asked for: a month, what it is broken down by, a rule and a currency."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Final

from app.domain.billing.bill import Bill, Key, billed
from app.domain.billing.currency import Currency
from app.domain.billing.period import NoMonth, month_named, month_of
from app.domain.billing.rules import BillingRules
from app.domain.billing.spent import spent
from app.domain.billing.statement import Account, IdleRule, Terms, statement
from app.domain.identity.directory import TenantEntry
from app.domain.ledger.ledger_row import LedgerRow
from app.domain.ledger.usage_query import TAG
from app.domain.quota.calendar import CalendarWindow

TENANT: Final = "tenant"
_MOST: Final = 4
_MOST_PER_USD: Final = 1_000_000
#: A fraction has all the digits of a smaller one: of 1e-999999999 nobody sees the end.
_LEAST_PER_USD: Final = Decimal("1e-9")

Shares = Mapping[str, Mapping[str, Fraction]]


class MistakenAsk(ValueError):
    """What is asked for makes no statement; `param` names what is wrong."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True, slots=True)
class Given:
    """As it was written; None is as configured."""

    month: str | None = None
    by: str = TENANT
    idle: IdleRule | None = None
    currency: str | None = None
    per_usd: str | None = None


@dataclass(frozen=True, slots=True)
class AskedStatement:
    """A month up to `until` (Unix seconds), with a line for each value of `by`."""

    rules: BillingRules
    month: CalendarWindow
    until: float
    by: tuple[str, ...]
    idle: IdleRule
    currency: Currency
    zone: tzinfo

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags among them, without their prefix."""
        return tuple(name.removeprefix(TAG) for name in self.by if name != TENANT)

    @property
    def is_complete(self) -> bool:
        """Whether the month is over."""
        return self.until * 1000 >= self.month.ends

    def bill(self, rows: Iterable[LedgerRow], shares: Shares, tenant: str | None = None) -> Bill:
        """Of all tenants' rows of the month, each charge once; of one tenant's lines if asked."""
        terms = Terms(
            self.month, self.until, self.rules.purchases, self.idle, shares, len(self.tags)
        )
        found = spent(rows, self.rules.sorting, self.tags)
        return billed(statement(found, terms), self.currency, self._key, tenant=tenant)

    def _key(self, account: Account) -> Key:
        tags = iter(account.owner.tags)
        return tuple(account.owner.tenant if name == TENANT else next(tags) for name in self.by)


def asked_of(given: Given, rules: BillingRules, zone: tzinfo, now: float) -> AskedStatement:
    """What is given, completed by the configuration. Raises MistakenAsk."""
    month = _month(given.month, zone, now)
    return AskedStatement(
        rules,
        month,
        min(now, month.ends / 1000),
        _by(given.by),
        given.idle or rules.idle,
        _currency(given, rules.currency),
        zone,
    )


def shares_of(rules: BillingRules, tenants: Iterable[TenantEntry]) -> Shares:
    """By deployment, whom which part of it is guaranteed: of tenants that may use what it serves.

    The directory's shares of now: those of the month are not kept.
    """
    entitled = [each for each in tenants if each.routing.ptu_share > 0 and not each.disabled]
    return {
        purchase.deployment: {
            each.name: Fraction(repr(each.routing.ptu_share))
            for each in entitled
            if _may_use(each, rules.serves.get(purchase.deployment, frozenset()))
        }
        for purchase in rules.purchases
    }


def _may_use(tenant: TenantEntry, models: frozenset[str]) -> bool:
    return tenant.models is None or not models.isdisjoint(tenant.models)


def _month(given: str | None, zone: tzinfo, now: float) -> CalendarWindow:
    if given is None:
        return month_of(now, zone)
    try:
        month = month_named(given, zone)
    except NoMonth as error:
        raise MistakenAsk("month", str(error)) from error
    if month.starts / 1000 > now:
        raise MistakenAsk("month", f"{given} has not begun")
    return month


def _by(given: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in given.split(","))
    if not all(name == TENANT or (name.startswith(TAG) and name != TAG) for name in names):
        raise MistakenAsk("by", "must be tenant, or tag:NAME, or several of them with commas")
    if len(set(names)) != len(names) or len(names) > _MOST:
        raise MistakenAsk("by", f"must name at most {_MOST}, each once")
    return names


def _currency(given: Given, configured: Currency) -> Currency:
    code = given.currency or configured.code
    if given.per_usd is not None:
        return Currency(code, _rate(given.per_usd))
    if code == configured.code:
        return configured
    if code == "USD":
        return Currency()
    raise MistakenAsk("per_usd", f"is missing: how much {code} is a US dollar")


def _rate(given: str) -> Fraction:
    try:
        rate = Decimal(given)
    except InvalidOperation:
        rate = Decimal(0)
    if not (rate.is_finite() and _LEAST_PER_USD <= rate <= _MOST_PER_USD):
        raise MistakenAsk("per_usd", "must be a number above 0 such as 0.92")
    return Fraction(rate)
