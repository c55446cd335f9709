"""Statements in a currency: rounded, and still adding up."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.billing.bill import Bill, Key, billed
from app.domain.billing.currency import Currency
from app.domain.billing.spent import Sorting, spent
from app.domain.billing.statement import Account, Statement, statement
from app.domain.ledger.ledger_row import LedgerRow
from tests.unit.domain.billing.months import USD, paid, ptu, served, terms

EUR = Currency("EUR", Fraction("0.9173"))
SORTING = Sorting({"ptu"}, {"gpt-4o"})


def by_tenant(account: Account) -> Key:
    return (account.owner.tenant,)


def by_tag(account: Account) -> Key:
    return account.owner.tags


def by_both(account: Account) -> Key:
    return (account.owner.tenant, *account.owner.tags)


def stated(rows: list[LedgerRow], tags: tuple[str, ...] = ("team",)) -> Statement:
    return statement(spent(rows, SORTING, tags), terms(tags=len(tags)))


def owed(bill: Bill) -> dict[Key, int]:
    return {line.key: line.owed for line in bill.lines}


def test_that_cents_are_not_lost() -> None:
    """Three tenants owe a third of a dollar each: a dollar, and not 99 cents."""
    third = USD // 3 + 1
    rows = [paid(name, third, tenant=name) for name in "abc"]
    found = billed(statement(spent(rows, SORTING), terms(ptu(usd=0))), Currency(), by_tenant)
    assert owed(found) == {("a",): 34, ("b",): 33, ("c",): 33}
    assert found.total.owed == 100


TENANTS = st.sampled_from(["a", "b", "c"])
ROW = st.builds(
    lambda is_ptu, nano, **fields: (
        served("s", nano % 9000, **fields) if is_ptu else paid("p", nano, **fields)
    ),
    st.booleans(),
    st.integers(0, 10**11),
    tenant=TENANTS,
    tags=st.sampled_from([{}, {"team": "x"}, {"team": "y"}]),
)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(ROW, max_size=10), per_usd=st.fractions("0.01", 200, max_denominator=10_000))
def test_that_every_breakdown_is_the_same_to_the_cent(
    rows: list[LedgerRow], per_usd: Fraction
) -> None:
    """Lines add up to the whole; a tenant's tags to the tenant; its own statement to its line."""
    found, currency = stated(rows), Currency("EUR", per_usd)
    whole = currency.units(found.owed)
    tenants, both = billed(found, currency, by_tenant), billed(found, currency, by_both)
    for bill in (tenants, both, billed(found, currency, by_tag)):
        assert bill.central is not None
        assert sum(line.owed for line in bill.lines) + bill.central == whole
        assert bill.total.owed + bill.central == whole
        assert bill.total.owed_nano_usd + found.central == found.owed
    for (tenant,), units in owed(tenants).items():
        assert sum(part for key, part in owed(both).items() if key[0] == tenant) == units
        own = billed(found, currency, by_tag, tenant=tenant)
        assert (own.total.owed, own.central) == (units, None)


def test_that_a_line_has_all_of_its_requests() -> None:
    """Folded over tenants, a tag has the tokens and the money of each."""
    rows = [
        paid("a", USD, tags={"team": "x"}),
        paid("b", USD, tags={"team": "x"}, tenant="other"),
        paid("c", USD, tenant="other"),
    ]
    x, none = billed(stated(rows), EUR, by_tag).lines
    assert (x.key, none.key) == (("x",), (None,))
    assert (x.owed_nano_usd, sum(x.units), none.owed) == (2 * USD, 184, 91)
    assert sum(sums.requests for sums in x.parts.values()) == 2
