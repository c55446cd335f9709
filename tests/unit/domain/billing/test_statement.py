"""How a PTU's fixed cost is shared out."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.billing.spent import Owner, Sorting, spent
from app.domain.billing.statement import IdleRule, Statement, statement
from app.domain.ledger.ledger_row import LedgerRow
from tests.unit.domain.billing.months import USD, paid, ptu, served, terms

SORTING = Sorting({"ptu", "big"}, {"gpt-4o"})
#: Of 43,200 input tokens that the PTU could do, a quarter and an eighth.
ROWS = [
    served("a", 10_800),
    served("b", 5400, tenant="other", output=0),
    paid("c", 3 * USD, tenant="other", spill="predicted"),
    paid("d", 2 * USD),
]


def stated(
    rows: list[LedgerRow] | None = None, tags: tuple[str, ...] = (), **fields: Any
) -> Statement:
    found = spent(ROWS if rows is None else rows, SORTING, tags)
    return statement(found, terms(tags=len(tags), **fields))


def owed(found: Statement) -> dict[str, tuple[Fraction, ...]]:
    """Dollars of each tenant: pay-as-you-go, spilled, PTUs used, idle, other."""
    return {
        each.owner.tenant: tuple(Fraction(amount, USD) for amount in each.amounts)
        for each in found.accounts
    }


@pytest.mark.parametrize(
    ("fields", "search", "other", "central"),
    [
        ({"idle": IdleRule.CENTRAL}, (2, 0, 180, 0, 0), (0, 3, 90, 0, 0), 450),
        ({"idle": IdleRule.USE}, (2, 0, 180, 300, 0), (0, 3, 90, 150, 0), 0),
        ({"idle": IdleRule.SHARE}, (2, 0, 180, 0, 0), (0, 3, 90, 0, 0), 450),
        (
            {"shares": {"ptu": {"search": Fraction(2, 5), "other": Fraction(1, 5)}}},
            (2, 0, 180, 180, 0),
            (0, 3, 90, 90, 0),
            180,
        ),
        # More than all of it is guaranteed: then nothing is left for nobody.
        (
            {"shares": {"ptu": {"search": Fraction(1), "other": Fraction(1, 2)}}},
            (2, 0, 180, 300, 0),
            (0, 3, 90, 150, 0),
            0,
        ),
    ],
)
def test_who_owes_for_what(
    fields: dict[str, Any], search: tuple[int, ...], other: tuple[int, ...], central: int
) -> None:
    """Of 720 dollars a quarter and an eighth are used; 450 were idle, and go by the rule."""
    found = stated(**fields)
    assert owed(found) == {"search": search, "other": other}
    assert found.central == central * USD
    assert found.owed == (720 + 5) * USD


def test_that_output_weighs_what_it_weighs_and_cached_input_nothing() -> None:
    """1,000 input, 400 of them cached, and 100 output are a thousand of the PTU's tokens."""
    found = stated([served("a", 1000, cached_input=400, output=100)])
    assert found.ptus[0].work == 1000
    assert found.ptus[0].used == 720 * USD * 1000 // 43_200 + 1  # 16.666666667 dollars


def test_that_more_than_all_leaves_nothing_idle() -> None:
    """Azure lets a request in that is larger than the room: used can be over the capacity."""
    found = stated([served("a", 43_200), served("b", 43_200, tenant="other")])
    assert owed(found)["search"] == tuple(map(Fraction, (0, 0, 360, 0, 0)))
    assert found.ptus[0].idle == 0


def test_that_an_idle_month_is_all_idle() -> None:
    """By use there is nobody to owe; by share there is."""
    assert stated([], idle=IdleRule.USE).central == 720 * USD
    found = stated([], shares={"ptu": {"quiet": Fraction(1, 4)}}, tags=("team",))
    assert [each.owner for each in found.accounts] == [Owner("quiet", (None,))]
    assert (found.accounts[0].owed, found.central) == (180 * USD, 540 * USD)


def test_that_a_tenants_idle_part_goes_to_its_tags_by_their_use() -> None:
    """Three quarters of its work are one team's."""
    rows = [served("a", 8100, tags={"team": "x"}), served("b", 2700, tags={"team": "y"})]
    found = stated(rows, ("team",), shares={"ptu": {"search": Fraction(1)}})
    x, y = found.accounts
    assert (x.owner.tags, y.owner.tags) == (("x",), ("y",))
    assert x.ptu_idle == 3 * y.ptu_idle
    assert x.owed == 540 * USD


def test_that_an_unknown_size_is_shared_out_whole() -> None:
    """Nobody knows what it could have done: it was used, in plain tokens."""
    found = statement(spent(ROWS, SORTING), terms(ptu(size=None)))
    assert owed(found)["search"][2] == 480
    assert found.ptus[0].capacity is None


TENANTS = st.sampled_from(["search", "other", "third"])
TAGS = st.sampled_from([{}, {"team": "x"}, {"team": "y"}])
AMOUNT = st.integers(0, 10**12)
ROW = st.builds(
    lambda kind, tokens, nano, **fields: (
        paid("p", nano, input=tokens, **fields)
        if kind == "pay"
        else served("s", tokens, deployment=kind, nano_usd=nano, **fields)
    ),
    st.sampled_from(["pay", "ptu", "big", "gone"]),
    st.integers(0, 60_000),
    AMOUNT,
    tenant=TENANTS,
    tags=TAGS,
    output=st.integers(0, 5000),
    spill=st.sampled_from(["none", "predicted", "error"]),
    cache=st.sampled_from(["bypass", "miss", "exact"]),
)
SHARES = st.dictionaries(TENANTS, st.fractions(0, 1, max_denominator=50))


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(ROW, max_size=12), shares=SHARES, idle=st.sampled_from(IdleRule))
def test_that_a_statement_adds_up(
    rows: list[LedgerRow], shares: dict[str, Fraction], idle: IdleRule
) -> None:
    """What is owed is what the ledger says was spent, with PTUs at what they cost; to the nano."""
    purchases = (ptu(), ptu("big", 7))
    found = statement(
        spent(rows, SORTING, ["team"]),
        terms(*purchases, shares={"ptu": shares, "big": shares}, idle=idle, tags=1),
    )
    on_ptus = sum(
        row.nano_usd for row in rows if row.deployment in SORTING.ptus and row.cache != "exact"
    )
    fixed = (720 + 7 * 720) * USD
    assert found.ledger == sum(row.nano_usd for row in rows)
    assert found.owed == found.ledger - on_ptus + fixed
    assert sum(each.charged for each in found.ptus) == on_ptus
    for bill in found.ptus:
        assert bill.used + bill.idle == bill.cost
        assert 0 <= bill.central <= bill.idle
    assert min((amount for each in found.accounts for amount in each.amounts), default=0) >= 0
