"""`spillgate usage reconcile`: an export of Azure's beside the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from app.cli import shown
from app.cli.client import AdminError
from app.cli.output import Column, Output, Record
from app.cli.session import Json, session
from app.domain.reconciliation.metrics_json import of_metrics_json
from app.domain.reconciliation.series import HOUR_S, Series, UnreadableExport, series_of
from app.domain.reconciliation.tables import of_table

#: Steps that a table shows, those with most unexplained tokens.
_MOST_STEPS: Final = 20
_MEASURES: Final = {
    "prompt": "input",
    "uncached_input": "input, not cached",
    "cached_input": "cached input",
    "output": "output",
    "total": "all",
    "ptu_hours": "PTU hours",
}

_Azure = Annotated[
    Path,
    typer.Option(help="Metrics as `az monitor metrics list` prints them, or a CSV; or costs."),
]


def reconcile(ctx: typer.Context, *, azure: _Azure, as_json: Json = False) -> None:
    """Compare what Azure counted with the ledger, by deployment and hour, and explain it."""
    with session(ctx, as_json=as_json) as work:
        series = _read(azure)
        body = {"step_s": series[0].step_s, "series": [_sent(each) for each in series]}
        answer = work.client.send("POST", "usage/reconciliation", body)
        if as_json:
            work.output.json(answer)
        else:
            show(work.output, answer["data"])


def _read(path: Path) -> list[Series]:
    """Raises AdminError where the file is no export."""
    try:
        text = path.read_text("utf-8-sig")
        if text.lstrip().startswith(("{", "[")):
            series = series_of(of_metrics_json(text), HOUR_S)
        else:
            series = series_of(*of_table(text.splitlines()))
    except (OSError, UnicodeDecodeError, UnreadableExport) as error:
        raise AdminError(f"{path}: {error}") from error
    if not series:
        raise AdminError(f"{path}: no tokens are counted in it")
    return series


def _sent(series: Series) -> dict[str, Any]:
    return {
        "resource": series.resource,
        "deployment": series.deployment,
        "measure": series.measure,
        "starts": series.starts,
        "tokens": list(series.tokens),
    }


def show(output: Output, found: Record) -> None:
    """A line for each series, then the hours or days that are not explained."""
    output.lines([_heading(found), ""])
    output.table(_SERIES, found["compared"])
    steps = list(_unexplained(found))
    if steps:
        output.lines(["", "Not explained:", ""])
        output.table(_STEPS, steps[:_MOST_STEPS])
        if len(steps) > _MOST_STEPS:
            output.note(f"{len(steps) - _MOST_STEPS} more; --json has all")
    output.lines(_beside(found))


def _heading(found: Record) -> str:
    first, last = (datetime.fromtimestamp(found[name], UTC) for name in ("since", "until"))
    step = "hour" if found["step_s"] == HOUR_S else "day"
    return f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC, by {step}"


def _unexplained(found: Record) -> list[Record]:
    steps = [
        step | {"of": compared}
        for compared in found["compared"]
        for step in compared["steps"]
        if step["unexplained"]
    ]
    return sorted(steps, key=lambda step: -abs(step["unexplained"]))


def _beside(found: Record) -> Iterator[str]:
    if found["foreign"]:
        yield ""
    for each in found["foreign"]:
        where = shown.text("/".join(filter(None, (each["resource"], each["azure_deployment"]))))
        measure = _MEASURES.get(each["measure"], each["measure"])
        yield f"not behind this gateway: {where}, {each['tokens']:,} ({measure})"
    if found["silent"]:
        yield ""
    for name, tokens in found["silent"].items():
        yield f"not in the export: {shown.text(name)}, {tokens:,} tokens in the ledger"


def _name(compared: Record) -> str:
    return shown.listed(compared["deployments"])


def _measure(compared: Record) -> str:
    return shown.text(_MEASURES.get(compared["measure"], compared["measure"]))


def _signed(tokens: int) -> str:
    return f"{tokens:+,}" if tokens else "0"


def _total(name: str) -> Any:
    return lambda row: _signed(row["total"][name])


def _step(name: str) -> Any:
    return lambda row: _signed(row[name])


def _explained(row: Record) -> str:
    return _signed(row["azure"] - row["ledger"] - row["unexplained"])


def _hour(row: Record) -> str:
    return f"{datetime.fromtimestamp(row['starts'], UTC):%Y-%m-%d %H:%M}"


_SERIES: Final = (
    Column("DEPLOYMENT", _name),
    Column("COUNTED", _measure),
    Column("AZURE", lambda row: shown.count(row["total"]["azure"]), right=True),
    Column("LEDGER", lambda row: shown.count(row["total"]["ledger"]), right=True),
    Column("AT THE EDGE", _total("edge"), right=True),
    Column("HEDGES", _total("hedges"), right=True),
    Column("BROKEN", _total("broken"), right=True),
    Column("FAILED", _total("failed"), right=True),
    Column("UNEXPLAINED", _total("unexplained"), right=True),
    Column("COUNTS AT", lambda row: shown.text(row["counted_at"])),
    Column("ERRANDS", lambda row: shown.count(row["errands"]), right=True),
)
_STEPS: Final = (
    Column("FROM (UTC)", _hour),
    Column("DEPLOYMENT", lambda row: _name(row["of"])),
    Column("COUNTED", lambda row: _measure(row["of"])),
    Column("AZURE", lambda row: shown.count(row["azure"]), right=True),
    Column("LEDGER", lambda row: shown.count(row["ledger"]), right=True),
    Column("EXPLAINED", _explained, right=True),
    Column("UNEXPLAINED", _step("unexplained"), right=True),
)
