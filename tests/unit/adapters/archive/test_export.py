from __future__ import annotations

import csv
import io
import json
import sys
from typing import Any

import pytest

from app.adapters.archive.export import (
    Format,
    ParquetUnavailable,
    export,
    groups_table,
    rows_table,
)
from app.domain.ledger.usage_query import UsageQuery, grouped
from tests.fakes.ledger_rows import ledger_row

ROWS = [
    ledger_row("a", tags={"project": "é,\n"}, flags=("late", "estimated"), status=200),
    ledger_row("b", model=None, time_to_first_token=0.25, stream=True, nano_usd=2**53),
]


def written(form: Format) -> bytes:
    target = io.BytesIO()
    assert export(rows_table(ROWS), form, target) == 2
    return target.getvalue()


def test_json_keeps_types() -> None:
    """Flags are a list, tags an object, what is missing is null."""
    first, second = json.loads(written(Format.JSON))

    assert (first["flags"], first["tags"]) == (["late", "estimated"], {"project": "é,\n"})
    assert (second["model"], second["nano_usd"], second["stream"]) == (None, 2**53, True)
    assert first["month"] == "2026-11"


def test_csv_is_read_back() -> None:
    """Commas, line ends and accents survive."""
    first, second = csv.DictReader(io.StringIO(written(Format.CSV).decode(), newline=""))

    assert json.loads(first["tags"]) == {"project": "é,\n"}
    assert (first["status"], second["status"], second["nano_usd"]) == ("200", "", str(2**53))


@pytest.mark.parametrize("text", ["=1+1", "+a", "-a", "@x", "\tx"])
def test_csv_runs_nothing(text: str) -> None:
    """What callers name is no formula in the spreadsheet of whoever opens the file."""
    target = io.BytesIO()
    export(rows_table([ledger_row(text)]), Format.CSV, target)

    (row,) = csv.DictReader(io.StringIO(target.getvalue().decode(), newline=""))
    assert row["id"] == f"'{text}"


def test_no_column_is_called_a_formula() -> None:
    """Groups are by tags, whose names come from whoever asks."""
    query = UsageQuery(("tag:=x",), 0.0, 1e12)
    target = io.BytesIO()
    export(groups_table(grouped([], query), ("=x", "a;=y")), Format.CSV, target)
    assert target.getvalue().startswith(b"'=x,a;'=y,")


def test_parquet_is_read_back() -> None:
    """Each column has its type, and the numbers are whole."""
    files: Any = pytest.importorskip("arro3.io", reason="no Parquet writer is installed")
    table = files.read_parquet(io.BytesIO(written(Format.PARQUET))).read_all()

    assert table["nano_usd"].to_pylist() == [7, 2**53]
    assert table["stream"].to_pylist() == [False, True]
    assert table["time_to_first_token"].to_pylist() == [None, 0.25]
    assert table["model"].to_pylist() == ["gpt-4o", None]
    assert table["flags"].to_pylist() == ["late estimated", ""]


def test_an_absurd_row_does_not_keep_a_file_back() -> None:
    """Older archives have counts of defective upstreams; Parquet's integers have 64 bits."""
    files: Any = pytest.importorskip("arro3.io", reason="no Parquet writer is installed")
    target = io.BytesIO()
    rows = [ledger_row("a", input=10**30, output=-(10**30)), ledger_row("b", input=5)]
    assert export(rows_table(rows), Format.PARQUET, target) == 2
    table = files.read_parquet(io.BytesIO(target.getvalue())).read_all()
    assert table["input"].to_pylist() == [2**63 - 1, 5]
    assert table["output"].to_pylist()[0] == -(2**63)


def test_parquet_without_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for it is told what to install."""
    monkeypatch.setitem(sys.modules, "arro3.core", None)
    target = io.BytesIO()

    with pytest.raises(ParquetUnavailable, match=r"spillgate\[parquet\]"):
        export(rows_table(ROWS), Format.PARQUET, target)
    assert target.getvalue() == b""


@pytest.mark.parametrize("form", Format)
def test_nothing_is_a_file_too(form: Format) -> None:
    """No rows make an empty table, not an invalid file."""
    if form is Format.PARQUET:
        pytest.importorskip("arro3.io", reason="no Parquet writer is installed")
    target = io.BytesIO()
    assert export(rows_table([]), form, target) == 0
    assert target.getvalue().startswith({"json": b"[]", "csv": b"id,", "parquet": b"PAR1"}[form])


def test_groups_are_exported() -> None:
    """Their values come first, then their sums."""
    query = UsageQuery(group_by=("model", "tag:project"))
    target = io.BytesIO()
    export(groups_table(grouped(ROWS, query), query.group_by), Format.CSV, target)

    first, second = csv.DictReader(io.StringIO(target.getvalue().decode(), newline=""))
    assert (first["model"], first["requests"], first["nano_usd"]) == ("gpt-4o", "1", "7")
    assert (second["model"], second["tag:project"]) == ("", "")
