"""`spillgate usage reconcile`: files in, series out; what it prints is held to its page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.admin_api import FakeAdminApi
from tests.fakes.command_line import Run

EXPORTS = Path(__file__).parents[1] / "domain" / "reconciliation" / "exports"
EMPTY: dict[str, Any] = {
    "data": {
        "since": 0,
        "until": 86_400,
        "step_s": 86_400,
        "compared": [],
        "foreign": [],
        "silent": {"ptu": 7},
    }
}


@pytest.mark.parametrize(
    ("name", "step_s", "measures"),
    [
        ("metrics.json", 3600, ["output", "prompt", "prompt"]),
        ("metrics.csv", 3600, ["prompt"]),
        ("cost-ea.csv", 86_400, ["ptu_hours", "cached_input", "output", "uncached_input"]),
        ("cost-focus.csv", 86_400, ["uncached_input"]),
    ],
)
def test_every_form_is_read_and_sent(
    api: FakeAdminApi, run: Run, name: str, step_s: int, measures: list[str]
) -> None:
    """By the hour or by the day; the file itself stays where it is."""
    api.answer("POST", "usage/reconciliation", EMPTY)
    result = run("usage", "reconcile", "--azure", str(EXPORTS / name))
    assert result.exit_code == 0, result.err
    assert api.last.body["step_s"] == step_s
    assert [each["measure"] for each in api.last.body["series"]] == measures
    assert result.lines[0] == "1970-01-01 00:00 to 1970-01-02 00:00 UTC, by day"
    assert result.lines[-1] == "not in the export: ptu, 7 tokens in the ledger"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "No such file"),
        ("a,b\n", "line 1: neither metrics"),
        ("{", "no JSON"),
        ("TimeGenerated,MetricName,Total\n", "no tokens are counted in it"),
    ],
)
def test_a_file_that_is_none_is_told(
    api: FakeAdminApi, run: Run, tmp_path: Path, text: str | None, said: str
) -> None:
    """In one line, and nothing is asked."""
    path = tmp_path / "export.csv"
    if text is not None:
        path.write_text(text)
    result = run("usage", "reconcile", "--azure", str(path))
    assert (result.exit_code, said in result.err) == (1, True)
    assert api.asked == []
