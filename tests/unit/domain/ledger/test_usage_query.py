from __future__ import annotations

import pytest

from app.domain.ledger.ledger_row import RowKind
from app.domain.ledger.usage_query import (
    DIMENSIONS,
    UnknownDimension,
    UsageQuery,
    grouped,
    selected,
)
from tests.fakes.ledger_rows import ledger_row


def test_everything_is_one_group() -> None:
    """Without dimensions there is one line, also without rows."""
    (group,) = grouped([ledger_row("a"), ledger_row("b", flags=("estimated",))], UsageQuery())
    assert (group.usage.requests, group.usage.input, group.usage.nano_usd) == (2, 10, 14)
    assert (group.usage.estimated, group.usage.unpriced) == (1, 0)

    (empty,) = grouped([], UsageQuery())
    assert empty.usage.requests == 0


def test_a_correction_is_no_further_request() -> None:
    """Its amounts are added, below zero or not."""
    rows = [ledger_row("a"), ledger_row("b", corrects="a", input=-2, output=9, nano_usd=-1)]
    (group,) = grouped(rows, UsageQuery())
    assert (group.usage.requests, group.usage.input, group.usage.output) == (1, 3, 12)
    assert group.usage.nano_usd == 6


def test_groups_by_any_dimensions_and_tags() -> None:
    """Each combination of values is a group; rows without a value come last."""
    rows = [
        ledger_row("a", tags={"project": "x"}),
        ledger_row("b", tags={"project": "x"}, model="other"),
        ledger_row("c", at=1_790_000_000.0 + 3600),
    ]

    found = grouped(rows, UsageQuery(group_by=("tag:project", "model", "hour")))

    assert [tuple(group.values.values()) for group in found] == [
        ("x", "gpt-4o", "2026-09-21T14:00Z"),
        ("x", "other", "2026-09-21T14:00Z"),
        (None, "gpt-4o", "2026-09-21T15:00Z"),
    ]


@pytest.mark.parametrize("name", DIMENSIONS)
def test_every_dimension_groups(name: str) -> None:
    """Sums do not depend on what they are grouped by."""
    rows = [ledger_row("a"), ledger_row("b", model=None, key_id=None, spill="held")]

    assert sum(group.usage.requests for group in grouped(rows, UsageQuery(group_by=(name,)))) == 2


def test_what_is_not_charged_is_only_counted() -> None:
    """Refusals, releases and expired holds add neither tokens nor money."""
    kinds = (RowKind.REFUSED, RowKind.RELEASED, RowKind.EXPIRED, RowKind.EXPIRED)
    (group,) = grouped([ledger_row("a", kind=kind) for kind in kinds], UsageQuery())

    assert (group.usage.refused, group.usage.released, group.usage.expired) == (1, 1, 2)
    assert (group.usage.requests, group.usage.input, group.usage.nano_usd) == (0, 0, 0)


def test_a_period_begins_and_does_not_end_with_its_bounds() -> None:
    """Periods that follow each other share no row."""
    rows = [ledger_row(str(at), at=float(at)) for at in range(4)]

    assert [row.id for row in selected(rows, UsageQuery(since=1.0, until=3.0))] == ["1", "2"]
    assert [row.id for row in selected(rows, UsageQuery(since=3.0))] == ["3"]


def test_rows_are_chosen_by_value() -> None:
    """All conditions must hold; None stands for rows without a value."""
    rows = [ledger_row("a"), ledger_row("b", model=None), ledger_row("c", tags={"team": "x"})]

    def ids(**where: frozenset[str | None]) -> list[str]:
        named = {name.replace("_of_", ":"): values for name, values in where.items()}
        return [row.id for row in selected(rows, UsageQuery(where=named))]

    assert ids(model=frozenset({None})) == ["b"]
    assert ids(model=frozenset({"gpt-4o"}), tag_of_team=frozenset({"x"})) == ["c"]
    assert ids(tenant=frozenset({"other"})) == []


@pytest.mark.parametrize("name", ["colour", "tag:", "tag"])
def test_an_unknown_dimension_is_named(name: str) -> None:
    """Whoever mistypes one is told which there are."""
    with pytest.raises(UnknownDimension, match=r"deployment_kind.*tag:<name>"):
        UsageQuery(group_by=(name,))
    with pytest.raises(UnknownDimension):
        UsageQuery(where={name: frozenset()})
