"""Differences, taken apart."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.billing.place import Place
from app.domain.ledger.ledger_row import LedgerRow, RowKind
from app.domain.reconciliation.compare import Reconciled, names_of, reconciled
from app.domain.reconciliation.counted import counted
from app.domain.reconciliation.series import DAY_S, HOUR_S, Measure, Series
from tests.fakes.ledger_rows import ledger_row

PLACES = (
    Place("ptu-east", "gpt-4o-ptu", "contoso-east", is_ptu=True),
    Place("canary", "gpt-4o-ptu", "contoso-east", is_ptu=True),
    Place("paygo", "gpt-4o", "contoso-se"),
)
FIRST = 480_000  # an hour, by its number


def row(hour: float, tokens: int, seconds: float = 0.0, **fields: Any) -> LedgerRow:
    """A request that ended at this hour of the day, and took so long."""
    ended = (FIRST + hour) * HOUR_S
    own = {"deployment": "paygo", "input": tokens, "output": 0, "started_at": ended - seconds}
    return ledger_row("a", at=ended, **own | fields)


def compare(rows: list[LedgerRow], *azure: int, **fields: Any) -> Reconciled:
    values = {"resource": "contoso-se", "deployment": "gpt-4o", "measure": Measure.PROMPT}
    series = Series(**values | fields, starts=FIRST * HOUR_S, step_s=HOUR_S, tokens=azure)
    return reconciled([series], PLACES, counted(rows, HOUR_S))


def test_that_what_is_equal_has_no_difference() -> None:
    """Requests count when they end, unless the whole series says otherwise."""
    (found,) = compare([row(0.5, 10), row(1.5, 20, seconds=3000)], 10, 20).compared
    assert (found.begun, found.unexplained, found.deployments) == (False, (0, 0), ("paygo",))
    assert {step.edge for step in found.steps} == {0}


def test_that_requests_at_the_hours_edge_are_explained() -> None:
    """Azure counted them where they began: the whole series fits, each hour by its edge."""
    rows = [row(0.5, 10), row(1.1, 70, seconds=600), row(1.5, 5), row(2.1, 40, seconds=600)]
    (found,) = compare(rows, 80, 45, 0).compared
    assert found.begun
    assert [step.edge for step in found.steps] == [70, -30, -40]
    assert found.unexplained == (0, 0)


def test_that_foreign_traffic_is_unexplained() -> None:
    """It is told where it was, and no edge hides it."""
    rows = [row(hour + 0.1, 100, seconds=600) for hour in range(4)]
    (found,) = compare(rows, 100, 150, 100, 100).compared
    assert [step.unexplained for step in found.steps] == [0, 50, 0, 0]
    assert found.unexplained == (50, 0)


@pytest.mark.parametrize(
    ("fields", "azure", "parts"),
    [
        # Hedges, broken answers, failures, and what is left.
        ({"flags": ("estimated",), "errand": "hedge"}, 150, (50, 0, 0, 0)),
        ({"flags": ("estimated",)}, 150, (0, 50, 0, 0)),
        ({"flags": ("estimated",)}, 60, (0, -40, 0, 0)),
        ({"flags": ("estimated",)}, 250, (0, 100, 0, 50)),
        ({"kind": RowKind.RELEASED, "reserved_tokens": 40}, 60, (0, 0, 40, 20)),
        ({}, 90, (0, 0, 0, -10)),
    ],
)
def test_what_explains_a_difference(
    fields: dict[str, Any], azure: int, parts: tuple[int, ...]
) -> None:
    """As far as the ledger only estimated, and no further."""
    (found,) = compare([row(0.5, 100, **fields)], azure).compared
    (step,) = found.steps
    assert (step.hedges, step.broken, step.failed, step.unexplained) == parts


def test_which_deployments_a_series_is_of() -> None:
    """Those of its name on its resource; a resource's meters are of what is paid by the token."""
    whole = Series("contoso-se", "", Measure.OUTPUT, 0, DAY_S, (1,))
    ptu = Series("contoso-east", "gpt-4o-ptu", Measure.OUTPUT, 0, HOUR_S, (1,))
    unsaid = Series("", "gpt-4o", Measure.OUTPUT, 0, HOUR_S, (1,))
    assert names_of(whole, PLACES) == ("paygo",)
    assert names_of(ptu, PLACES) == ("canary", "ptu-east")
    assert names_of(unsaid, PLACES) == ("paygo",)
    assert names_of(Series("other", "gpt-4o", Measure.OUTPUT, 0, HOUR_S, (1,)), PLACES) == ()


def test_that_what_has_no_other_side_is_told() -> None:
    """Series of nobody's, and deployments that the file does not have."""
    rows = [row(0.5, 10, deployment="ptu-east"), row(5, 3, deployment="ptu-east")]
    found = compare(rows, 9, deployment="somebody-elses")
    assert [sum(each.tokens) for each in found.foreign] == [9]
    assert found.silent == {"ptu-east": 10}
    assert compare([], 0, deployment="nothing").foreign == ()


ROWS = st.lists(
    st.builds(
        row,
        st.floats(0, 3.9),
        st.integers(0, 1000),
        st.floats(0, 3000),
        flags=st.sampled_from([(), ("estimated",)]),
        kind=st.sampled_from([RowKind.SETTLED, RowKind.RELEASED]),
        reserved_tokens=st.integers(0, 2000),
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, azure=st.lists(st.integers(0, 3000), min_size=4, max_size=4))
def test_that_parts_add_up_and_explain_no_more_than_there_is(
    rows: list[LedgerRow], azure: list[int]
) -> None:
    """In every hour; nothing is explained away from zero to beyond it."""
    (found,) = compare(rows, *azure).compared
    charged = sum(each.input for each in rows if each.kind is RowKind.SETTLED)
    assert found.total.ledger == charged
    for step in found.steps:
        parts = (step.edge, step.hedges, step.broken, step.failed, step.unexplained)
        assert step.azure - step.ledger == sum(parts)
        left = step.azure - step.ledger - step.edge
        for part in parts[1:]:
            assert abs(part) <= abs(left)
            assert part * left >= 0
