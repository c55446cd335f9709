"""What `spillgate plan` prints: a table of options, what is recommended by term, JSON, CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from app.cli.output import Column, Output
from app.cli.shown import NONE, count, seconds
from app.planner.sizing.plan import Option, PtuPlan, Recommendation
from app.planner.sizing.told import option_as_json

#: Numbers of PTUs that a table shows, beside those that are recommended.
_MOST_ROWS: Final = 20
_PERCENT: Final = 100


def show(output: Output, found: PtuPlan) -> None:
    """Two tables: numbers of PTUs, and the best by each term."""
    output.lines([_of(found), ""])
    output.table(_options(found), [{"of": each} for each in _shown(found)])
    output.lines([""])
    output.table(_BEST, [{"of": each} for each in found.recommendations])
    if found.variants:
        output.lines([""])
        output.table(_VARIANTS, [{"of": each} for each in found.variants])
    output.lines(["", *_NOTES])


def lines_of(found: PtuPlan) -> Iterator[str]:
    """The options as CSV."""
    names = [name for name in option_as_json(found.options[0]) if name != "usd"]
    terms = [*found.options[0].costs]
    yield ",".join([*names, *(f"usd_{term}" for term in terms)])
    for each in found.options:
        told = option_as_json(each)
        yield ",".join(map(str, [*(told[name] for name in names), *told["usd"].values()]))


def _shown(found: PtuPlan) -> list[Option]:
    """Some from the fewest to the most, and every one that is recommended or was asked for."""
    step = max(1, -(-len(found.options) // _MOST_ROWS))
    best = {each.option.ptus for each in found.recommendations} | {*found.asked}
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


def _wait(each: Option) -> str:
    return seconds(each.wait_s) if each.spilled and each.ptus else NONE


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
    Column("would wait", lambda record: _wait(record["of"]), right=True),
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
_VARIANTS: Final = (
    Column("sold as", lambda record: record["of"].kind),
    Column("term", lambda record: record["of"].term),
    Column("PTUs", lambda record: count(record["of"].ptus), right=True),
    Column("USD", lambda record: _usd(record["of"].usd), right=True),
    Column("spilled", lambda record: _part(record["of"].spilled_share), right=True),
    Column("best in", lambda record: f"{record['of'].sure:.0%}", right=True),
)
_NOTES: Final = (
    "used: of the PTUs' capacity. refused: by Azure, where PTUs are asked first without knowing.",
    "would wait: for room, what spilled, on average, had it not been allowed to.",
    "best in: of 1,000 resamples of the days. pays from: the use at which the PTUs cost no more",
    "than what they serve would as pay-as-you-go. USD are of the whole period.",
)
