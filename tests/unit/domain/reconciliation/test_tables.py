"""Exports that are tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.domain.reconciliation.metrics_json import moment
from app.domain.reconciliation.series import DAY_S, HOUR_S, Measure, Point, UnreadableExport
from app.domain.reconciliation.tables import meter_measure, of_table

EXPORTS = Path(__file__).parent / "exports"
DAY = moment("2026-11-20T00:00:00Z")


def read(name: str) -> tuple[list[Point], int]:
    return of_table((EXPORTS / name).read_text().splitlines())


def test_metrics() -> None:
    """Each line with its time; a metric that counts no tokens is none of them."""
    points, step_s = read("metrics.csv")
    assert step_s == HOUR_S
    assert points == [
        Point("contoso-east", "gpt-4o-ptu", Measure.PROMPT, DAY + 8 * HOUR_S, 40_000),
        Point("contoso-east", "gpt-4o-ptu", Measure.PROMPT, DAY + 8 * HOUR_S + 60, 1000),
    ]


def test_costs_of_an_enterprise_agreement() -> None:
    """Thousands of tokens by meter and day; and PTUs, an hour each."""
    points, step_s = read("cost-ea.csv")
    assert step_s == DAY_S
    assert points == [
        Point("Contoso-SE", "", Measure.UNCACHED, DAY, 12_000_500),
        Point("Contoso-SE", "", Measure.CACHED, DAY, 400_000),
        Point("Contoso-SE", "", Measure.OUTPUT, DAY, 1_000_000),
        Point("Contoso-East", "", Measure.PTU_HOURS, DAY, 360),
    ]


def test_costs_as_focus() -> None:
    """The same of the columns that FOCUS names."""
    assert read("cost-focus.csv") == (
        [Point("contoso-se", "", Measure.UNCACHED, DAY, 12_000_500)],
        DAY_S,
    )


@pytest.mark.parametrize(
    ("meter", "measure"),
    [
        ("gpt-4o-mini-0718-Inp-glbl Tokens", Measure.UNCACHED),
        ("gpt-4o-mini-0718-Outp-glbl Tokens", Measure.OUTPUT),
        ("gpt 4o 1120 cached Inp glbl Tokens", Measure.CACHED),
        ("5.4 mini cd Inp Gl 1M Tokens", Measure.CACHED),
        ("5.4 mini opt Gl 1M Tokens", Measure.OUTPUT),
        ("gpt 4o 0513 Output global Tokens", Measure.OUTPUT),
        ("text-embedding-3-large-regional Tokens", Measure.UNCACHED),
        ("gpt 4o 0513 Batch Inp glbl Tokens", None),
        ("gpt-4o-mini-tts-aud-out-glbl Tokens", None),
        ("Provisioned Managed Global Unit", Measure.PTU_HOURS),
        ("Provisioned Managed Data Zone Unit", Measure.PTU_HOURS),
        ("Standard Disk Operations", None),
    ],
)
def test_what_a_meter_counts(meter: str, measure: Measure | None) -> None:
    """As Azure's price list names them, in all its spellings."""
    assert meter_measure(meter) is measure


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "line 1: neither"),
        ("Date,MeterName,Quantity\nyesterday,a Inp Tokens,5\n", "line 2: 'yesterday' is no time"),
        ("Date,MeterName,Quantity\n11/20/2026,a Inp Tokens,much\n", "line 2: 'much' is no number"),
        ("", "line 1: neither"),
    ],
)
def test_that_a_mistake_is_named(text: str, said: str) -> None:
    """With its line."""
    with pytest.raises(UnreadableExport, match=said):
        of_table(text.splitlines())


def test_that_a_byte_order_mark_and_spaces_are_passed_over() -> None:
    """Spreadsheets write them."""
    points, _ = of_table(["\ufeffdate , meterName,quantity", "2026-11-20,a Inp Tokens,5"])
    assert points == [Point("", "", Measure.UNCACHED, DAY, 5)]
