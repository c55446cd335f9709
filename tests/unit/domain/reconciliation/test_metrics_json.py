"""What `az monitor metrics list` prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.domain.reconciliation.metrics_json import moment, of_metrics_json
from app.domain.reconciliation.series import HOUR_S, Measure, UnreadableExport, series_of

EXPORT = (Path(__file__).parent / "exports" / "metrics.json").read_text()
EIGHT = moment("2026-11-20T08:00:00Z")


def test_that_all_token_metrics_are_read() -> None:
    """By resource and deployment, each hour."""
    found = series_of(of_metrics_json(EXPORT), HOUR_S)
    assert [(each.deployment, each.measure) for each in found] == [
        ("gpt-4o-ptu", Measure.OUTPUT),
        ("gpt-4o-ptu", Measure.PROMPT),
        ("somebody-elses", Measure.PROMPT),
    ]
    assert {each.resource for each in found} == {"contoso-east"}
    assert found[1].starts == EIGHT
    assert found[1].tokens == (43_000, 28_000, 32_500)
    assert found[2].tokens == (7000, 0, 0)


def metric(name: str, total: float | None = 5.0) -> dict[str, Any]:
    series = [{"data": [{"timestamp": "2026-11-20T08:00:00+00:00", "total": total}]}]
    return {"name": {"value": name}, "timeseries": series}


def test_that_what_counts_the_same_is_not_counted_twice() -> None:
    """Old and new names of one metric are both there; the first one is taken."""
    text = json.dumps([{"value": [metric("InputTokens"), metric("ProcessedPromptTokens")]}])
    assert [(point.measure, point.tokens) for point in of_metrics_json(text)] == [
        (Measure.PROMPT, 5)
    ]


def test_that_hours_without_a_number_are_none() -> None:
    """Nor are metrics that count something else."""
    text = json.dumps({"value": [metric("GeneratedTokens", None), metric("AzureOpenAIRequests")]})
    assert list(of_metrics_json(text)) == []


@pytest.mark.parametrize("text", ["", "[1]", '{"values": []}', "[" * 100_000])
def test_that_anything_else_is_refused(text: str) -> None:
    """In one line."""
    with pytest.raises(UnreadableExport):
        list(of_metrics_json(text))
