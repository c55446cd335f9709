"""Tables of what strategies came to, as plain text or Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from app.planner.outcome import Outcome
from app.planner.scenarios import Scenario

#: One scenario's outcomes by the names of the strategies.
Outcomes = Mapping[str, Outcome]
Render = Callable[[Sequence[str], Sequence[Sequence[str]]], str]

_COLUMNS = (
    "strategy",
    "PTU utilisation",
    "of it ours",
    "spilled tokens",
    "wasted trips",
    "p95 wait ms",
    "mean wait ms",
    "PAYGO $",
    "precision",
    "recall",
)


def scenario_table(outcomes: Outcomes, render: Render) -> str:
    """Everything about one scenario, a row for each strategy."""
    return render(_COLUMNS, [_row(name, outcome) for name, outcome in outcomes.items()])


def summary_table(results: Mapping[str, Outcomes], render: Render) -> str:
    """Wasted round trips and PTU utilisation, scenarios down and strategies across."""
    strategies = tuple(next(iter(results.values())))
    rows = [
        (name, *(_brief(outcomes[strategy]) for strategy in strategies))
        for name, outcomes in results.items()
    ]
    return render(("scenario", *strategies), rows)


def heading(scenario: Scenario, outcomes: Outcomes) -> str:
    """What was simulated, in a line."""
    requests = next(iter(outcomes.values())).tally.requests
    return (
        f"{scenario.name}: {scenario.case.ptus} PTUs, {requests:,} requests in "
        f"{scenario.hours:g} h, seed {scenario.seed}"
    )


def as_markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *("--:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def as_text(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return "\n".join(_line(cells, widths) for cells in (header, *rows))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.rjust(width) if place else cell.ljust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join((first, *others)).rstrip()


def _row(name: str, outcome: Outcome) -> tuple[str, ...]:
    return (
        name,
        f"{outcome.utilization:.2%}",
        f"{outcome.tally.served / outcome.capacity:.2%}",
        f"{outcome.spilled:.2%}",
        f"{outcome.tally.refused:,}",
        f"{outcome.p95_wait_s * 1000:.0f}",
        f"{outcome.mean_wait_s * 1000:.2f}",
        f"{outcome.usd:.2f}",
        _share(outcome.precision),
        _share(outcome.recall),
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _brief(outcome: Outcome) -> str:
    return f"{outcome.tally.refused:,} at {outcome.utilization:.2%}"
