from __future__ import annotations

import pytest

from app.domain.ledger.ledger_row import (
    RowKind,
    UnreadableRow,
    decode,
    encode,
    marked,
)
from app.domain.quota.reservation import Amounts
from tests.fakes.ledger_rows import ledger_row


def test_a_row_is_read_as_it_was_written() -> None:
    """Every field survives the line it is kept in."""
    row = ledger_row("r1", flags=("late", "soft:tpm"), tags={"project": "é\n"}, status=200)

    assert decode(encode(row)) == row
    assert b"\n" not in encode(row)


def test_newer_rows_can_be_read() -> None:
    """A field and a word that this version does not know are no reason to lose a row."""
    row = encode(ledger_row("r1", outcome="abducted"))

    assert decode(b'{"invented":1,' + row[1:]).outcome == "abducted"


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"id":"a","kind":"odd"}', b'"\xff"'])
def test_anything_else_is_refused(data: bytes) -> None:
    """What is no row raises one kind of error."""
    with pytest.raises(UnreadableRow):
        decode(data)


@pytest.mark.parametrize(
    ("kind", "charged"),
    [
        (RowKind.SETTLED, Amounts(1, 8, 7)),
        (RowKind.MERGED, Amounts(1, 8, 7)),
        (RowKind.RELEASED, Amounts()),
        (RowKind.EXPIRED, Amounts()),
        (RowKind.REFUSED, Amounts()),
    ],
)
def test_only_charges_count(kind: RowKind, charged: Amounts) -> None:
    """What an account is charged with follows from the row alone."""
    assert ledger_row("r1", kind=kind, cached_input=4, reasoning=2).charged == charged


def test_a_correction_is_no_further_request() -> None:
    """What it adds may be below zero."""
    row = ledger_row("r1", corrects="r0", output=-7)
    assert (row.is_charged, row.charged) == (True, Amounts(0, -2, 7))


def test_what_the_account_found_is_in_the_row() -> None:
    """Marks become kinds and flags; a release that no hold was found for stays a release."""
    row = ledger_row("r1", flags=("estimated",))

    expired = marked(row, "expired", 5.0)
    assert (expired.kind, expired.at, expired.flags) == (
        RowKind.EXPIRED,
        5.0,
        ("estimated", "expired"),
    )
    assert expired.charged == Amounts()
    assert marked(marked(row, "late", 5.0), "late", 5.0).flags == ("estimated", "late")
    assert marked(row, "adopted", 5.0).kind is RowKind.MERGED
    released = ledger_row("r1", kind=RowKind.RELEASED)
    assert marked(released, "adopted", 5.0) == released
    assert marked(row, "", 5.0) == row


def test_the_month_is_that_of_the_day() -> None:
    """Both come from the moment of the reservation."""
    assert ledger_row("r1", day="2026-01-31").month == "2026-01"
