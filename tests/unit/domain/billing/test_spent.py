"""Which part of a statement a row of the ledger belongs to."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.billing.spent import Owner, Part, Sorting, spent
from app.domain.ledger.ledger_row import RowKind
from tests.fakes.ledger_rows import ledger_row

SORTING = Sorting({"ptu"}, {"gpt-4o"})
PTU: Any = {"deployment": "ptu", "deployment_kind": "ptu"}
PAYGO: Any = {"deployment": "paygo", "deployment_kind": "paygo"}


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        (PTU, Part.PTU),
        (PAYGO, Part.PAYGO),
        (PAYGO | {"spill": "predicted"}, Part.SPILLED),
        (PAYGO | {"spill": "share"}, Part.SPILLED),
        # It failed, or was not allowed: more PTUs would not have helped.
        (PAYGO | {"spill": "error"}, Part.PAYGO),
        (PAYGO | {"spill": "policy"}, Part.PAYGO),
        # From one pay-as-you-go deployment to the next.
        (PAYGO | {"spill": "held", "model": "gpt-4o-mini"}, Part.PAYGO),
        (PTU | {"deployment": "gone"}, Part.OTHER),
        ({"cache": "exact", "saved_nano_usd": 9}, Part.CACHED),
        ({}, Part.OTHER),
    ],
)
def test_which_part_a_row_is(fields: dict[str, Any], part: Part) -> None:
    """By who served it, and why it spilled."""
    found = spent([ledger_row("a", **fields)], SORTING)
    assert list(found.parts[Owner("search")]) == [part]
    assert found.nano_usd == 7


def test_that_only_what_was_charged_is_there() -> None:
    """Refused and released rows owe nothing."""
    kinds = [RowKind.REFUSED, RowKind.RELEASED, RowKind.EXPIRED, RowKind.UNMETERED]
    assert spent([ledger_row("a", kind=kind) for kind in kinds], SORTING).parts == {}


def test_that_a_correction_is_no_further_request() -> None:
    """It owes what the estimate was off by, in the same part."""
    rows = [
        ledger_row("a", **PTU),
        ledger_row("b", **PTU, corrects="a", input=-5, output=0, nano_usd=-3),
    ]
    sums = spent(rows, SORTING).parts[Owner("search")][Part.PTU]
    assert (sums.requests, sums.input, sums.output, sums.nano_usd) == (1, 0, 3, 4)


def test_whom_a_row_is_charged_to() -> None:
    """A tenant, and the tags that were asked for; without one that is its own."""
    rows = [
        ledger_row("a", tags={"team": "x", "app": "y"}),
        ledger_row("b", tags={"team": "x"}),
        ledger_row("c", **PTU, tenant="other"),
    ]
    found = spent(rows, SORTING, ["team"])
    assert sorted(found.parts, key=lambda each: each.order) == [
        Owner("other", (None,)),
        Owner("search", ("x",)),
    ]
    assert found.parts[Owner("search", ("x",))][Part.OTHER].tokens == 16
    assert found.by_ptu["ptu"][Owner("other", (None,))].requests == 1
