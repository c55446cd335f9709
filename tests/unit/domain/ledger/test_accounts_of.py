from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from app.domain.ledger.accounts_of import balances, charged_once, fields_of
from app.domain.ledger.ledger_row import LedgerRow, RowKind
from app.domain.quota.limit import scopes_of
from app.domain.quota.reservation import Amounts
from tests.fakes.ledger_rows import ledger_row

DAYS = ("2026-10-31", "2026-11-01", "2026-11-02")
ROWS = st.lists(
    st.builds(
        ledger_row,
        st.sampled_from([str(number) for number in range(12)]),
        kind=st.sampled_from(RowKind),
        day=st.sampled_from(DAYS),
        key_id=st.sampled_from(["k1", "k2"]),
        model=st.sampled_from(["m1", "m2"]),
        input=st.integers(0, 10**9),
        nano_usd=st.integers(0, 10**15),
    ),
    max_size=30,
)


def test_a_charge_counts_in_all_its_scopes() -> None:
    """Tenant, key, model, and the model through the key: of its day and of its month."""
    found = balances([ledger_row("a"), ledger_row("b", key_id="k2")], ["2026-11-21"], ["2026-11"])

    assert found.days["2026-11-21"] == found.months["2026-11"]
    assert found.days["2026-11-21"] == {
        "tenant": Amounts(2, 16, 14),
        "key:k1": Amounts(1, 8, 7),
        "key:k2": Amounts(1, 8, 7),
        "model:gpt-4o": Amounts(2, 16, 14),
        "key:k1/model:gpt-4o": Amounts(1, 8, 7),
        "key:k2/model:gpt-4o": Amounts(1, 8, 7),
    }


def test_days_and_months_are_told_apart() -> None:
    """A month holds more than the days asked for; days of other months do not count in it."""
    rows = [
        ledger_row("a", day=DAYS[0]),
        ledger_row("b", day=DAYS[1]),
        ledger_row("c", day=DAYS[2]),
    ]

    found = balances(rows, [DAYS[2], "2026-11-03"], ["2026-11"])

    assert found.days[DAYS[2]]["tenant"].requests == 1
    assert found.days["2026-11-03"] == {}
    assert found.months["2026-11"]["tenant"].requests == 2


def test_a_correction_is_no_further_request() -> None:
    """Tokens and money of both, be they below zero; and its id is one that was settled."""
    rows = [ledger_row("a"), ledger_row("a-corrected", corrects="a", input=-2, output=9)]

    found = balances(rows, ["2026-11-21"], ["2026-11"])

    assert found.days["2026-11-21"]["tenant"] == Amounts(1, 15, 14)
    assert found.latest == ("a", "a-corrected")


def test_a_charge_without_key_and_model_counts_once() -> None:
    """Scopes that fall together are one."""
    row = ledger_row("a", key_id=None, model=None)

    assert balances([row], [row.day], []).days[row.day] == {"tenant": Amounts(1, 8, 7)}


def test_what_was_spilled_counts_as_that_too() -> None:
    """Of the tenant as a whole, whoever asked and whatever the reason; what was not, does not."""
    rows = [ledger_row("a", spill="held"), ledger_row("b"), ledger_row("c", spill="throttled")]
    found = balances(rows, ["2026-11-21"], ["2026-11"]).days["2026-11-21"]
    assert found["spill"] == Amounts(2, 16, 14)
    assert found["tenant"] == Amounts(3, 24, 21)


def test_hours_have_what_was_spilled_in_them_alone() -> None:
    """Of the days asked for; rows of older versions name no hour, and count in none."""
    day, other = DAYS[1], DAYS[0]
    rows = [
        ledger_row("a", day=day, hour=f"{day}T07", spill="held"),
        ledger_row("b", day=day, hour=f"{day}T07"),
        ledger_row("c", day=day, hour=f"{day}T07", spill="throttled"),
        ledger_row("d", day=day, hour=f"{day}T08", spill="held"),
        ledger_row("d", day=day, hour=f"{day}T09", spill="held"),
        ledger_row("e", day=other, hour=f"{other}T07", spill="held"),
        ledger_row("f", day=day, spill="held"),
        ledger_row("g", day=day, hour=f"{day}T07", spill="held", kind=RowKind.RELEASED),
    ]
    assert balances(rows, [day], ["2026-11"]).hours == {
        f"{day}T07": {"spill": Amounts(2, 16, 14)},
        f"{day}T08": {"spill": Amounts(1, 8, 7)},
    }


def test_what_measured_the_cache_counts_as_that_too() -> None:
    """A lost account still knows what of the day's cap is used; an embedding is not measuring."""
    rows = [ledger_row(each, errand=each) for each in ("sample", "judgement", "embedding", "")]
    found = balances(rows, ["2026-11-21"], ["2026-11"]).days["2026-11-21"]
    assert found["measuring"] == Amounts(2, 16, 14)
    assert found["tenant"] == Amounts(4, 32, 28)


def test_a_repeated_charge_counts_once() -> None:
    """A Redis that forgot a settlement settles again, perhaps a day later; tenants are apart."""
    first, again = ledger_row("a", day="2026-11-20"), ledger_row("a", nano_usd=9)
    expired = ledger_row("a", kind=RowKind.EXPIRED)
    other = ledger_row("a", tenant="other")

    assert list(charged_once([expired, first, again, other])) == [expired, first, other]


def test_memory_of_charges_is_bounded() -> None:
    """Only the ids of some days are remembered: nothing is settled twice after that long."""
    days = [f"2026-11-{day:02}" for day in range(1, 5)]
    again = [ledger_row(day, day=days[-1]) for day in days]
    rows = [*(ledger_row(day, day=day) for day in days), *again]

    assert [row.id for row in charged_once(rows)] == [*days, days[0]]


def test_totals_are_named_as_accounts_name_them() -> None:
    """Zeros need no field."""
    assert fields_of({"key:k1": Amounts(2, 0, 5)}) == {"requests:key:k1": 2, "nano_usd:key:k1": 5}


@given(ROWS)
def test_totals_are_the_sum_of_the_rows(rows: Sequence[LedgerRow]) -> None:
    """Whatever the rows, each scope's total is the sum over the first charge of each id."""
    first = {row.id: row for row in reversed(rows) if row.kind in {"settled", "merged"}}
    found = balances(rows, DAYS, ["2026-10", "2026-11"])

    for name, totals in {**found.days, **found.months}.items():
        here = [row for row in first.values() if name in {row.day, row.month}]
        for scope in {
            scope for row in here for scope in scopes_of(row.key_id or "", row.model or "")
        }:
            inside = [row for row in here if scope in scopes_of(row.key_id or "", row.model or "")]
            assert totals[scope] == Amounts(
                len(inside),
                sum(row.input + row.output for row in inside),
                sum(row.nano_usd for row in inside),
            )


def test_what_was_settled_last_is_known_by_its_id() -> None:
    """Be it with nothing; what expired or was refused was never settled."""
    rows = [ledger_row(kind.value, kind=kind) for kind in RowKind]
    latest = balances([*rows, ledger_row("settled")], [], []).latest
    assert latest == ("settled", "released", "merged")


def test_only_the_last_are_known() -> None:
    """As many as may be repeated, however much there was."""
    rows = [ledger_row(str(number)) for number in range(6000)]
    latest = balances(rows, [], []).latest
    assert latest == tuple(str(number) for number in range(1000, 6000))
