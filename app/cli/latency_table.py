"""What `spillgate latency` prints: the cost before, the tables after, or all of it as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from app.cli.output import Column, Output
from app.cli.shown import NONE, count, dollars, text
from app.planner.latency.cost import Cost
from app.planner.latency.plan import Plan
from app.planner.latency.report import TIMES, Measured
from app.planner.latency.statistics import LEVEL, RESAMPLES, Estimate, Summary

_MS: Final = 1000
_FINE_MS: Final = 100


def cost_lines(plan: Plan, costs: Sequence[Cost]) -> Iterator[str]:
    """What each deployment will cost at most, and for what."""
    times = plan.requests + plan.warm_up
    for cost in costs:
        what = f"{times} requests of {plan.prompt_tokens} + up to {plan.output_tokens} tokens"
        yield f"{cost.deployment}: {what}: up to {dollars(cost.nano_usd)}{_paid(cost)}"


def show(output: Output, found: Sequence[Measured]) -> None:
    """Two tables: how requests ended, and one line for each that answered and kind of time."""
    output.table(_ENDINGS, [{"of": each} for each in found])
    if answered := [each for each in found if each.answered]:
        output.lines([""])
        output.table(_TIMES, [*_rows(answered)])
        output.lines(["", f"ms; in brackets {LEVEL:.0%} intervals ({RESAMPLES} resamples)."])
    for each in found:
        for line in _troubles(each):
            output.note(f"{each.deployment}: {line}")


def _troubles(each: Measured) -> Iterator[str]:
    if each.left_out:
        (why,) = each.why
        yield f"none of its warm-up was answered, so it was not asked again: {text(why)}"
        return
    for why, times in each.why.items():
        yield f"{times} times {text(why)}"


def as_json(plan: Plan, found: Sequence[Measured]) -> dict[str, Any]:
    """Everything but single values; times in seconds."""
    asked = {name: getattr(plan, name) for name in plan.__slots__}
    return {"plan": asked, "deployments": [each.as_json() for each in found]}


def _rows(found: Sequence[Measured]) -> Iterator[dict[str, Any]]:
    for name, title in TIMES.items():
        for each in found:
            summary, ratio = each.times[name], each.ratios.get(name)
            yield {"of": each, "kind": title, "summary": summary, "ratio": ratio}


def _paid(cost: Cost) -> str:
    if cost.reserved:
        return " of what its hours cost anyway"
    return "" if cost.known else " (nobody told its price: the dearest is assumed)"


def _ms(seconds: float) -> str:
    milliseconds = seconds * _MS
    return f"{milliseconds:,.1f}" if milliseconds < _FINE_MS else f"{milliseconds:,.0f}"


def _with_interval(estimate: Estimate | None, shown: Callable[[float], str]) -> str:
    if estimate is None:
        return NONE
    if estimate.low is None or estimate.high is None:
        return shown(estimate.value)
    return f"{shown(estimate.value)} [{shown(estimate.low)}, {shown(estimate.high)}]"


def _told(title: str, of: Callable[[Summary], Estimate | float]) -> Column:
    def shown(row: Any) -> str:
        summary: Summary | None = row["summary"]
        if summary is None:
            return NONE
        value = of(summary)
        return _with_interval(value, _ms) if isinstance(value, Estimate) else _ms(value)

    return Column(title, shown, right=True)


def _ratio(row: Any) -> str:
    return _with_interval(row["ratio"], lambda value: f"{value:.2f}")


_NAME: Final = Column("DEPLOYMENT", lambda row: text(row["of"].deployment))
_ENDINGS: Final = (
    _NAME,
    Column("ANSWERED", lambda row: count(row["of"].answered), right=True),
    Column("429", lambda row: count(row["of"].throttled), right=True),
    Column("FAILED", lambda row: count(row["of"].failed), right=True),
    Column("INPUT", lambda row: f"{row['of'].input_tokens:,.0f}", right=True),
    Column("CACHED", lambda row: f"{row['of'].cached_tokens:,.0f}", right=True),
    Column("OUTPUT", lambda row: f"{row['of'].output_tokens:,.0f}", right=True),
)
_TIMES: Final = (
    Column("TIME", lambda row: text(row["kind"])),
    _NAME,
    _told("MEDIAN", lambda summary: summary.median),
    Column("OF THE FIRST", _ratio, right=True),
    _told("MEAN", lambda summary: summary.mean),
    _told("P95", lambda summary: summary.p95),
    _told("P99", lambda summary: summary.p99),
    _told("MIN", lambda summary: summary.least),
    _told("MAX", lambda summary: summary.greatest),
)
