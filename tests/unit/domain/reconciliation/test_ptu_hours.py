"""PTUs that a meter counted, beside those that are configured."""

from __future__ import annotations

from math import inf

from app.domain.billing.place import Place
from app.domain.reconciliation.compare import reconciled
from app.domain.reconciliation.counted import counted
from app.domain.reconciliation.ptu_hours import add_ptu_hours
from app.domain.reconciliation.series import DAY_S, HOUR_S, Measure, Series
from tests.unit.domain.billing.months import ptu

DAY = 20_000
STARTS = DAY * DAY_S
PLACES = (Place("ptu", "gpt", "east", is_ptu=True), Place("pay", "gpt", "east"))


def test_that_another_number_of_ptus_is_unexplained() -> None:
    """A day with a PTU more than is configured, and one on which it was deleted at noon."""
    hours = Series("east", "", Measure.PTU_HOURS, STARTS, DAY_S, (24, 48, 24))
    found = counted([], DAY_S)
    noon = STARTS + 2 * DAY_S + 12 * HOUR_S
    add_ptu_hours(found, [ptu(ends=noon)], [hours], inf)
    (compared,) = reconciled([hours], PLACES, found).compared
    assert compared.deployments == ("ptu",)
    assert [(step.ledger, step.unexplained) for step in compared.steps] == [
        (24, 0),
        (24, 24),
        (12, 12),
    ]


def test_that_only_meters_of_ptus_are_asked_for_them() -> None:
    """Tokens alone add nothing; what is not over is expected so far."""
    tokens = Series("east", "", Measure.OUTPUT, STARTS, DAY_S, (1,))
    found = counted([], DAY_S)
    add_ptu_hours(found, [ptu()], [tokens], inf)
    assert found == {}
    hours = Series("east", "", Measure.PTU_HOURS, STARTS, DAY_S, (6,))
    add_ptu_hours(found, [ptu()], [hours], STARTS + 6 * HOUR_S)
    assert found["ptu"][Measure.PTU_HOURS].ended == {DAY: 6}
