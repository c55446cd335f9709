from __future__ import annotations

from app.domain.ledger.ledger_row import LedgerRow, RowKind
from app.domain.ledger.repeated_charges import RepeatedCharges
from tests.fakes.ledger_rows import ledger_row


def repeats(rows: list[LedgerRow]) -> list[bool]:
    repeated = RepeatedCharges()
    for row in rows:
        repeated.see(row)
    return [repeated.repeats(row) for row in rows]


def test_that_the_first_charge_of_an_id_counts() -> None:
    """However often it comes again, and whatever came between."""
    rows = [ledger_row(id_) for id_ in ("a", "b", "a", "c", "a", "b")]
    assert repeats(rows) == [False, False, True, False, True, True]


def test_that_only_charges_repeat() -> None:
    """An id that expired and was charged afterwards is charged once; so is another tenant's."""
    rows = [
        ledger_row("a", kind=RowKind.EXPIRED),
        ledger_row("a", kind=RowKind.EXPIRED),
        ledger_row("a"),
        ledger_row("a", tenant="other"),
        ledger_row("a", kind=RowKind.MERGED),
    ]
    assert repeats(rows) == [False, False, False, False, True]


def test_that_many_different_ids_are_not_taken_for_one() -> None:
    """What is remembered for nothing is looked at again, and told apart."""
    rows = [ledger_row(str(number)) for number in range(20_000)]
    assert not any(repeats(rows))
