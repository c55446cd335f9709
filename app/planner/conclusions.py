"""What all scenarios come to: sums over kinds of traffic, and a verdict on each of them alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from app.planner.outcome import Outcome, summed
from app.planner.report import Outcomes, Render
from app.planner.verdict import BASELINES, INFORMED, ONE_IN, ROUTERS, Verdict, verdict

#: Of each figure a table.
_SUMMED: Final[Mapping[str, Callable[[Outcome], str]]] = {
    "wasted round trips": lambda each: f"{each.tally.refused:,}",
    "PTU utilisation": lambda each: f"{each.utilization:.2%}",
    "spilled tokens": lambda each: f"{each.spilled:.2%}",
    "PAYGO $": lambda each: f"{each.usd:.2f}",
}
_ARE_SUMS: Final = """\
Sums over all kinds of traffic ({}), by calibration. Each kind counts
by its size: for round trips by its requests, for utilisation by its PTUs and hours. No verdict."""
_GOAL: Final = """\
Verdict, cell by cell. Asked for are at most a tenth of the wasted round trips of the better of
the two retry-after baselines, at its PTU utilisation or more; 0.05 points less count as equal.
Shown are wasted round trips, the part of the baseline's that is saved, and points of utilisation
above it; beside a short one, also those of the informed router."""

#: By the name of a scenario, of each that is judged.
_Found = Mapping[str, Mapping[str, Verdict]]


def sums(results: Mapping[str, Outcomes], render: Render) -> str:
    """For each calibration all kinds of traffic together.

    Scenarios are named CASE/CALIBRATION. Empty where there is one kind of traffic.
    """
    cases = list(dict.fromkeys(name.split("/")[0] for name in results))
    if len(cases) == 1:
        return ""
    together = {
        f"all/{wrong}": _together([results[f"{case}/{wrong}"] for case in cases])
        for wrong in dict.fromkeys(name.split("/")[1] for name in results)
        if all(f"{case}/{wrong}" in results for case in cases)
    }
    tables = (_sum_table(what, together, render) for what in _SUMMED)
    return "\n\n".join((_ARE_SUMS.format(" + ".join(cases)), *tables))


def verdicts(results: Mapping[str, Outcomes], render: Render) -> str:
    """What is asked of the router; empty where those whom it takes were not simulated."""
    names = next(iter(results.values()))
    judged = [name for name in ROUTERS if name in names]
    if not judged or INFORMED not in names or not any(name in names for name in BASELINES):
        return ""
    found: _Found = {
        scenario: {router: verdict(outcomes, router) for router in (*judged, INFORMED)}
        for scenario, outcomes in results.items()
    }
    columns = [column for router in judged for column in (router, "verdict")]
    rows = [_verdict_row(scenario, judged, each) for scenario, each in found.items()]
    table = render(("scenario", "a tenth", *columns, INFORMED), rows)
    counts = "\n".join(_count(router, found) for router in judged)
    return f"{_GOAL}\n\n{table}\n\n{counts}"


def _together(of_each: Sequence[Outcomes]) -> Outcomes:
    return {name: summed([each[name] for each in of_each]) for name in of_each[0]}


def _sum_table(what: str, together: Mapping[str, Outcomes], render: Render) -> str:
    names = tuple(next(iter(together.values())))
    rows = [
        (scenario, *(_SUMMED[what](outcomes[name]) for name in names))
        for scenario, outcomes in together.items()
    ]
    return render((f"sum: {what}", *names), rows)


def _verdict_row(
    scenario: str, judged: Sequence[str], found: Mapping[str, Verdict]
) -> tuple[str, ...]:
    each = [found[router] for router in judged]
    cells = [cell for one in each for cell in (_compared(one), _word(one))]
    is_met = all(one.is_met for one in each)
    beside = "" if is_met else f"{_compared(found[INFORMED])}: {_word(found[INFORMED])}"
    return (scenario, f"{each[0].baseline / ONE_IN:,.1f}", *cells, beside)


def _word(one: Verdict) -> str:
    return "met" if one.is_met else "short"


def _compared(one: Verdict) -> str:
    saved = "-" if one.fewer is None else f"{one.fewer:.1%}"
    higher = round(one.higher * 100, 2) + 0.0  # no -0.00
    return f"{one.refused:,} ({saved}), {higher:+.2f}"


def _count(router: str, found: _Found) -> str:
    short = [scenario for scenario, each in found.items() if not each[router].is_met]
    met = f"{router}: met in {len(found) - len(short)} of {len(found)}"
    return f"{met}; short in {', '.join(short)}" if short else met
