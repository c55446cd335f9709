"""`spillgate latency`: compare how fast deployments answer, and say how sure that is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Protocol

import typer

from app.cli.latency_plot import plotted
from app.cli.latency_progress import progress_on
from app.cli.latency_table import as_json, cost_lines, show
from app.cli.output import Output
from app.cli.session import FAILED, Surroundings, Yes, confirm
from app.cli.shown import dollars
from app.planner.latency.cost import Cost, to_pay
from app.planner.latency.measuring import Tell
from app.planner.latency.plan import Plan, Turn
from app.planner.latency.report import Measured, report
from app.planner.latency.sample import Sample
from app.settings import ConfigProblems

MISTAKE: Final = 2
INTERRUPTED: Final = 130
_OPTION: Final = "--deployments"
_PLOT: Final = "--plot"
_WARMING_UP: Final = "the warm-up had not ended, so nothing was measured"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be compared, and whether the simulator stands in for it."""

    config: Path
    plan: Plan
    simulate: bool = False


class Comparison(Protocol):
    """A comparison that is ready to begin."""

    @property
    def costs(self) -> tuple[Cost, ...]:
        """The most that it costs, by deployment."""
        ...

    def run(self, tell: Tell) -> None:
        """Send all requests, and tell of each. Raises OSError, and KeyboardInterrupt if told."""
        ...


#: Reads the config. Raises ConfigProblems, and ValueError for what cannot be compared.
Compare = Callable[[Asked], Comparison]

_Config = Annotated[Path, typer.Option("--config", help="The configuration, a YAML file.")]
_Deployments = Annotated[
    str, typer.Option(_OPTION, help="Two or more by name, with commas: ptu-east,paygo.")
]
_Simulate = Annotated[
    bool, typer.Option("--simulate", help="Ask simulated deployments; call no Azure.")
]
_Requests = Annotated[
    int, typer.Option(help="Requests that count, of each deployment.", min=1, max=2000)
]
_WarmUp = Annotated[
    int, typer.Option(help="Requests before, of each, that do not count.", min=0, max=100)
]
_Prompt = Annotated[int, typer.Option(help="Tokens of each prompt.", min=30, max=1_000_000)]
_Output = Annotated[int, typer.Option(help="Most tokens of each answer.", min=2, max=100_000)]
_Concurrency = Annotated[int, typer.Option(help="Requests under way at once.", min=1, max=100)]
_Seed = Annotated[int, typer.Option(help="Of the order and of the intervals.")]
_Json = Annotated[bool, typer.Option("--json", help="JSON, times in seconds.")]
_Plot = Annotated[Path | None, typer.Option(help="Write the distributions there, as SVG.")]


def add_latency(cli: typer.Typer, compare: Compare) -> None:
    """Add the command; `compare` makes a comparison ready."""

    @cli.command()
    def latency(  # noqa: PLR0913  # its options
        ctx: typer.Context,
        *,
        config: _Config,
        deployments: _Deployments,
        simulate: _Simulate = False,
        requests: _Requests = 50,
        warm_up: _WarmUp = 3,
        prompt_tokens: _Prompt = 500,
        output_tokens: _Output = 200,
        concurrency: _Concurrency = 1,
        seed: _Seed = 7,
        json: _Json = False,
        plot: _Plot = None,
        yes: Yes = False,
    ) -> None:
        """Compare deployments, such as a PTU and PAYGO: TTFT, TPOT, latency, and how sure.

        They are asked in turns, directly, with the config's credentials; what it costs is told
        before, and asked for.
        """
        plan = Plan(
            _names(deployments),
            requests=requests,
            warm_up=warm_up,
            prompt_tokens=prompt_tokens,
            output_tokens=output_tokens,
            concurrency=concurrency,
            seed=seed,
        )
        _check_plot(plot)
        around: Surroundings = ctx.obj
        asked, wanted = Asked(config, plan, simulate), _Wanted(json, plot, yes)
        raise typer.Exit(_Command(asked, wanted, around.output()).done(compare))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """In which form it is told, and whether the question is answered already."""

    as_json: bool
    plot: Path | None
    yes: bool


@dataclass(frozen=True, slots=True)
class _Command:
    """One run of the command."""

    asked: Asked
    wanted: _Wanted
    output: Output
    samples: list[Sample] = field(default_factory=list)

    def done(self, compare: Compare) -> int:
        """Do it all; the exit code."""
        try:
            comparison = compare(self.asked)
        except ConfigProblems as found:
            return self._mistake(map(str, found.problems))
        except ValueError as error:
            return self._mistake([f"spillgate: {error}"])
        self._ask_for(comparison.costs)
        try:
            stopped = self._run(comparison)
        except OSError as error:
            self.output.note(f"spillgate: {error}")
            return FAILED
        return self._tell(report(self.asked.plan, self.samples), stopped=stopped)

    def _mistake(self, lines: Sequence[str] | map[str]) -> int:
        for line in lines:
            self.output.note(line)
        return MISTAKE

    def _ask_for(self, costs: tuple[Cost, ...]) -> None:
        """Nothing is sent before what has to be paid is agreed to. Raises Abort, BadParameter."""
        for line in cost_lines(self.asked.plan, costs):
            self.output.note(line)
        if costs:
            pay = dollars(to_pay(costs))
            confirm(f"Send {self.asked.plan.total} requests for up to {pay}?", yes=self.wanted.yes)

    def _run(self, comparison: Comparison) -> bool:
        """Whether it was stopped before its end; what there is by then is kept."""
        with progress_on(sys.stderr, self.asked.plan.total) as step:

            def tell(turn: Turn, sample: Sample) -> None:
                if turn.counts:
                    self.samples.append(sample)
                step(sample)

            try:
                comparison.run(tell)
            except KeyboardInterrupt:
                return True
        return False

    def _tell(self, found: tuple[Measured, ...], *, stopped: bool) -> int:
        if stopped:
            so_far = "this is of the requests that had ended" if self.samples else _WARMING_UP
            self.output.note(f"spillgate: stopped; {so_far}")
        if self.wanted.as_json:
            self.output.json(as_json(self.asked.plan, found))
        elif self.samples:
            show(self.output, found)
        if self.wanted.plot is not None and not self._plotted(found, self.wanted.plot):
            return MISTAKE
        if stopped:
            return INTERRUPTED
        return 0 if all(each.answered for each in found) else FAILED

    def _plotted(self, found: tuple[Measured, ...], path: Path) -> bool:
        """Whether it was, if there is anything to plot."""
        if not any(each.answered for each in found):
            self.output.note("spillgate: there is no plot, for nothing was answered")
            return True
        try:
            path.write_text(plotted(found), "utf-8")
        except OSError as error:
            self.output.note(f"spillgate: {error}")
            return False
        return True


def _check_plot(plot: Path | None) -> None:
    """Before anything is paid for. Raises BadParameter where it cannot be written."""
    if plot is None:
        return
    if plot.is_dir() or not os.access(plot if plot.exists() else plot.parent, os.W_OK):
        raise typer.BadParameter(f"cannot be written: {plot}", param_hint=_PLOT)
    if plot.suffix != ".svg":
        raise typer.BadParameter(f"is an SVG, whose name ends with .svg: {plot}", param_hint=_PLOT)


def _names(listed: str) -> tuple[str, ...]:
    """The names between commas. Raises BadParameter for fewer than two, or one twice."""
    names = tuple(name.strip() for name in listed.split(",") if name.strip())
    if len(names) < 2:  # noqa: PLR2004  # a comparison
        raise typer.BadParameter(
            "two or more names are needed, with commas", param_hint="--deployments"
        )
    if len(set(names)) < len(names):
        raise typer.BadParameter("each name once", param_hint=_OPTION)
    return names
