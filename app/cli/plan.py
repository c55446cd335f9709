"""`spillgate plan`: how many PTUs recorded traffic is cheapest with, and how sure that is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from app.cli import given
from app.cli.output import Output
from app.cli.plan_table import lines_of, show
from app.cli.session import FAILED, Surroundings
from app.planner.sizing.plan import PtuPlan, Tell
from app.planner.sizing.plot import plotted
from app.planner.sizing.told import as_json
from app.planner.sizing.traffic import UnreadableTraffic
from app.planner.sizing.what_if import WhatIf

MISTAKE: Final = 2
_LOWEST: Final = 19
Kind = Literal["global", "datazone", "regional"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be planned; exactly one of `archive` and `csv` is given. Times are Unix seconds.

    `base_model` decides sizes and prices; `usd_per_ptu` replaces the catalogue's by the hour, the
    month and the year.
    """

    model: str
    base_model: str
    archive: Path | None
    csv: Path | None
    since: float | None
    until: float | None
    kind: Kind
    most: int
    usd_per_ptu: tuple[float | None, float | None, float | None]
    what_if: WhatIf
    seed: int
    also: tuple[int, ...] = ()
    at_most: int | None = None
    """Requests; more are refused. None: as many as there are."""
    variants: bool = False
    """Whether the best of every kind is told, too."""


class CannotPlan(Exception):
    """There is nothing to plan with; the text says why in one line."""


#: Raises CannotPlan, UnreadableTraffic, OSError.
Find = Callable[[Asked, Tell], PtuPlan]

_Usd = Annotated[float | None, typer.Option(min=0)]
_Model = Annotated[str, typer.Option(help="The model as applications call it.")]
_Archive = Annotated[
    Path | None, typer.Option(help="The ledger's archive, as `ledger.archive` names it.")
]
_Csv = Annotated[
    Path | None,
    typer.Option(help="A file with at, input, output; cached_input, max_output, tenant."),
]
_Base = Annotated[
    str | None, typer.Option("--as", help="The base model; default: the model's name.")
]
_Growth = Annotated[
    float, typer.Option(help="What if so many times as much is asked.", min=0.01, max=100)
]
_Cached = Annotated[float, typer.Option(help="What if a cache answers this part.", min=0, max=0.99)]
_Ptus = Annotated[
    list[int] | None,
    typer.Option(help="Also tell of this number of PTUs; repeatable.", min=1, max=1_000_000),
]
_AtMost = Annotated[int | None, typer.Option(hidden=True, min=1)]
_Beside = Annotated[
    bool, typer.Option("--beside", help="Leave the processor to others.", hidden=True)
]
_Without = Annotated[
    list[str] | None, typer.Option(help="What if this tenant is gone; repeatable.")
]


def add_plan(cli: typer.Typer, find: Find) -> None:
    """Add the command; `find` makes the plan."""

    @cli.command()
    def plan(  # noqa: PLR0913  # its options
        ctx: typer.Context,
        *,
        model: _Model,
        archive: _Archive = None,
        csv: _Csv = None,
        base: _Base = None,
        since: Annotated[str | None, typer.Option(help="From then on: 30d, or a date.")] = None,
        until: Annotated[str | None, typer.Option(help="Up to then.")] = None,
        kind: Annotated[Kind, typer.Option(help="How PTUs are deployed.")] = "global",
        most: Annotated[int, typer.Option(help="No more PTUs than these.", min=1)] = 1_000_000,
        usd_per_ptu_hour: _Usd = None,
        usd_per_ptu_month: _Usd = None,
        usd_per_ptu_year: _Usd = None,
        growth: _Growth = 1.0,
        cached: _Cached = 0.0,
        without: _Without = None,
        ptus: _Ptus = None,
        seed: Annotated[int, typer.Option(help="Of what-ifs and of the confidence.")] = 7,
        json: Annotated[bool, typer.Option("--json", help="JSON, shares as parts of 1.")] = False,
        csv_out: Annotated[bool, typer.Option("--csv-out", help="The table as CSV.")] = False,
        plot: Annotated[Path | None, typer.Option(help="Write cost and hours as SVG.")] = None,
        variants: Annotated[
            bool, typer.Option("--variants", help="Tell the best of every --kind, too.")
        ] = False,
        at_most: _AtMost = None,
        beside: _Beside = False,
    ) -> None:
        """How many PTUs recorded traffic is cheapest with: spill, utilisation, cost, confidence.

        The traffic is replayed through the router's own bucket for numbers of PTUs as Azure sells
        them, at hourly, monthly and yearly prices.
        """
        around: Surroundings = ctx.obj
        now = around.now()
        asked = Asked(
            model,
            base or model,
            archive,
            csv,
            None if since is None else given.moment_before(since, now, around.zone),
            None if until is None else given.moment_before(until, now, around.zone),
            kind,
            most,
            (usd_per_ptu_hour, usd_per_ptu_month, usd_per_ptu_year),
            WhatIf(growth, cached, frozenset(without or ())),
            seed,
            tuple(ptus or ()),
            at_most,
            variants,
        )
        wanted = _Wanted(json, csv_out, plot, beside)
        raise typer.Exit(_done(asked, wanted, find, around.output()))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """In which form it is told."""

    as_json: bool
    as_csv: bool
    plot: Path | None
    beside: bool
    """Beside a gateway, which is to have the processor; progress is told as lines."""


def _done(asked: Asked, wanted: _Wanted, find: Find, output: Output) -> int:
    if (asked.archive is None) == (asked.csv is None):
        output.note("spillgate: give either --archive or --csv")
        return MISTAKE
    try:
        with _beside() if wanted.beside else _progress() as tell:
            found = find(asked, tell)
        if wanted.plot is not None:
            wanted.plot.write_text(plotted(as_json(found)), "utf-8")
    except (CannotPlan, UnreadableTraffic) as error:
        output.note(f"spillgate: {error}")
        return MISTAKE
    except OSError as error:
        output.note(f"spillgate: {error}")
        return FAILED
    _tell(found, wanted, output)
    return 0


def _tell(found: PtuPlan, wanted: _Wanted, output: Output) -> None:
    if wanted.as_json:
        output.json(as_json(found))
    elif wanted.as_csv:
        output.lines(lines_of(found))
    else:
        show(output, found)


@contextmanager
def _beside() -> Iterator[Tell]:
    """At the lowest priority; a line with the count for each number of PTUs."""
    os.nice(_LOWEST)
    yield lambda count: print(count, file=sys.stderr, flush=True)


@contextmanager
def _progress() -> Iterator[Tell]:
    """A spinner on a terminal; nothing elsewhere, for it takes seconds."""
    from rich.console import Console  # noqa: PLC0415  # 70 ms, which other commands do without

    console = Console(file=sys.stderr)
    with console.status("reading traffic") as status:
        yield lambda count: status.update(f"{count} numbers of PTUs replayed")
