"""PTUs that should be billed, beside those that a meter counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from app.domain.billing.purchase import Purchase
from app.domain.quota.calendar import CalendarWindow
from app.domain.reconciliation.counted import Counted
from app.domain.reconciliation.series import Measure, Series

_HOUR_MS: Final = 3_600_000


def add_ptu_hours(
    counted: Counted, purchases: Iterable[Purchase], series: Sequence[Series], now: float
) -> None:
    """Add what is configured, in the steps of those series that count PTU hours, up to `now`."""
    steps = {
        step: each.step_s
        for each in series
        if each.measure is Measure.PTU_HOURS
        for step in range(each.starts // each.step_s, each.ends // each.step_s)
    }
    for purchase in purchases if steps else ():
        tally = counted[purchase.deployment][Measure.PTU_HOURS]
        for step, step_s in steps.items():
            hours = _hours(purchase, step * step_s * 1000, step_s * 1000, now)
            tally.ended[step] += hours
            tally.begun[step] += hours


def _hours(purchase: Purchase, starts: int, length: int, now: float) -> int:
    window = CalendarWindow("", starts, starts + length)
    start, end = purchase.there(window, now)
    return round(purchase.ptus * (end - start) / _HOUR_MS)
