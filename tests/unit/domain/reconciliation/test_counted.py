"""What the ledger counted, and how far it may be off."""

from __future__ import annotations

from typing import Any

from app.domain.ledger.ledger_row import RowKind
from app.domain.reconciliation.counted import TOKENS, Source, counted, tokens_of
from app.domain.reconciliation.series import HOUR_S, Measure
from tests.fakes.ledger_rows import ledger_row

AT = 10.0 * HOUR_S
ROW: Any = {
    "at": AT + 5,
    "started_at": AT - 5,
    "deployment": "ptu",
    "input": 100,
    "cached_input": 40,
    "output": 20,
    "reserved_tokens": 600,
}


def test_tokens_of_each_measure() -> None:
    """Cached input is part of the prompt."""
    row = ledger_row("a", **ROW)
    assert [tokens_of(row, measure) for measure in TOKENS] == [100, 60, 40, 20, 120]


def test_that_a_request_is_in_two_hours() -> None:
    """In one it began, in the other it ended."""
    tally = counted([ledger_row("a", **ROW)], HOUR_S)["ptu"][Measure.PROMPT]
    assert (dict(tally.begun), dict(tally.ended)) == ({9: 100}, {10: 100})
    assert (tally.more, tally.less, tally.errands) == ({}, {}, 0)


def test_how_far_an_estimate_may_be_off() -> None:
    """A prompt by itself, an answer by the rest of what was reserved; less by all of it."""
    found = counted([ledger_row("a", **ROW, flags=("estimated",))], HOUR_S)["ptu"]
    room = {
        measure: (tally.more[Source.BROKEN][10], tally.less[Source.BROKEN][10])
        for measure, tally in found.items()
    }
    assert room[Measure.PROMPT] == (100, 100)
    assert room[Measure.OUTPUT] == (480, 20)
    assert room[Measure.TOTAL] == (580, 120)


def test_that_a_correction_counts_when_it_came() -> None:
    """By when it was told; among what began, by when the request did."""
    rows = [
        ledger_row("a", **ROW),
        ledger_row("b", **ROW | {"at": AT + HOUR_S, "input": -30}, corrects="a"),
    ]
    tally = counted(rows, HOUR_S)["ptu"][Measure.PROMPT]
    assert (dict(tally.begun), dict(tally.ended)) == ({9: 70}, {10: 100, 11: -30})


def test_that_hedges_and_failures_have_their_own_place() -> None:
    """An errand's tokens are told, too; who was refused had no upstream."""
    rows = [
        ledger_row("a", **ROW, flags=("estimated",), errand="hedge"),
        ledger_row("b", **ROW | {"kind": RowKind.RELEASED}),
        ledger_row("c", **ROW | {"kind": RowKind.REFUSED}),
        ledger_row("d", at=AT),
    ]
    found = counted(rows, HOUR_S)
    tally = found["ptu"][Measure.OUTPUT]
    assert list(found) == ["ptu"]
    assert tally.more[Source.HEDGES][10] == 480
    assert tally.more[Source.FAILED][10] == 600
    assert (tally.errands, tally.ended[10]) == (20, 20)
