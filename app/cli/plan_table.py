"""What `spillgate plan` prints: a table of options, what is recommended by term, JSON, CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from app.cli.output import Column, Output
from app.cli.shown import NONE, count
from app.planner.sizing.plan import Option, PtuPlan, Recommendation

#: Numbers of PTUs that a table shows, beside those that are recommended.
_MOST_ROWS: Final = 20
_PERCENT: Final = 100


def show(output: Output, found: PtuPlan) -> None:
    """Two tables: numbers of PTUs, and the best by each term."""
    output.lines([_of(found), ""])
    output.table(_options(found), [{"of": each} for each in _shown(found)])
    output.lines([""])
    output.table(_BEST, [{"of": each} for each in found.recommendations])
    output.lines(["", *_NOTES])


def as_json(found: PtuPlan) -> dict[str, Any]:
    """Everything; days' costs are left out."""
    return {
        **{name: getattr(found, name) for name in ("requests", "tokens", "since", "until", "days")},
        "options": [_option(each) for each in found.options],
        "recommendations": [
            {
                "term": each.term,
                "ptus": each.option.ptus,
                "confidence": each.confidence,
                "break_even": each.break_even,
                "hours": asdict(each.hours),
            }
            for each in found.recommendations
        ],
    }


def lines_of(found: PtuPlan) -> Iterator[str]:
    """The options as CSV."""
    names = [name for name in _option(found.options[0]) if name != "usd"]
    terms = [*found.options[0].costs]
    yield ",".join([*names, *(f"usd_{term}" for term in terms)])
    for each in found.options:
        told = _option(each)
        yield ",".join(map(str, [*(told[name] for name in names), *told["usd"].values()]))


def _option(each: Option) -> dict[str, Any]:
    names = ("ptus", "utilization", "spilled", "spilled_share", "spilled_tokens", "refused")
    told = {name: getattr(each, name) for name in names}
    spill = next(iter(each.costs.values())).spill_usd
    return {**told, "spill_usd": spill, "usd": {name: c.usd for name, c in each.costs.items()}}


def _shown(found: PtuPlan) -> list[Option]:
    """Some from the fewest to the most, and every one that is recommended."""
    step = max(1, -(-len(found.options) // _MOST_ROWS))
    best = {each.option.ptus for each in found.recommendations}
    few = {each.ptus for each in found.options[::step]}
    return [each for each in found.options if each.ptus in best | few]


def _of(found: PtuPlan) -> str:
    first, last = (datetime.fromtimestamp(at, UTC) for at in (found.since, found.until))
    period = f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC, {found.days} days"
    return f"{found.requests:,} requests, {found.tokens:,} tokens; {period}"


def _options(found: PtuPlan) -> Sequence[Column]:
    def usd(term: str) -> Column:
        return Column(f"USD {term}", lambda record: _usd(record["of"].costs[term].usd), right=True)

    return (*_SIZES, *(usd(term) for term in found.options[0].costs))


def _usd(value: float) -> str:
    return f"{value:,.2f}"


def _part(value: float | None) -> str:
    return NONE if value is None else f"{value * _PERCENT:.1f} %"


def _confidence(each: Recommendation) -> str:
    """How often the best was this number, and which came next."""
    sure = each.confidence.get(each.option.ptus, 0.0)
    others = sorted(((part, ptus) for ptus, part in each.confidence.items()), reverse=True)
    next_best = [f"{ptus}: {part:.0%}" for part, ptus in others if ptus != each.option.ptus][:2]
    return f"{sure:.0%}" + (f" ({', '.join(next_best)})" if next_best else "")


_SIZES: Final = (
    Column("PTUs", lambda record: count(record["of"].ptus), right=True),
    Column("used", lambda record: _part(record["of"].utilization), right=True),
    Column("spilled", lambda record: _part(record["of"].spilled_share), right=True),
    Column("tokens", lambda record: count(record["of"].spilled_tokens), right=True),
    Column("refused", lambda record: count(record["of"].refused), right=True),
    Column(
        "USD spilled",
        lambda record: _usd(next(iter(record["of"].costs.values())).spill_usd),
        right=True,
    ),
)
_BEST: Final = (
    Column("term", lambda record: record["of"].term),
    Column("PTUs", lambda record: count(record["of"].option.ptus), right=True),
    Column(
        "USD", lambda record: _usd(record["of"].option.costs[record["of"].term].usd), right=True
    ),
    Column("best in", lambda record: _confidence(record["of"])),
    Column("used", lambda record: _part(record["of"].option.utilization), right=True),
    Column("pays from", lambda record: _part(record["of"].break_even), right=True),
)
_NOTES: Final = (
    "used: of the PTUs' capacity. refused: by Azure, where PTUs are asked first without knowing.",
    "best in: of 1,000 resamples of the days. pays from: the use at which the PTUs cost no more",
    "than what they serve would as pay-as-you-go. USD are of the whole period.",
)
