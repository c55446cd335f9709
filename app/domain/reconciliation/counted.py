"""What the ledger counted, by the moment that a request ended and by that at which it began."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from app.domain.call.errand import Purpose
from app.domain.ledger.ledger_row import LedgerRow, RowKind
from app.domain.reconciliation.series import Measure

#: What a request has of its own.
TOKENS: Final = tuple(measure for measure in Measure if measure is not Measure.PTU_HOURS)
_ESTIMATED: Final = "estimated"
_GIVEN_BACK: Final = frozenset({RowKind.RELEASED, RowKind.EXPIRED})


class Source(StrEnum):
    """Why Azure's count and the ledger's may differ; a closed set."""

    HEDGES = "hedges"  # the one of two that was given up: its answer is an estimate
    BROKEN = "broken"  # broken off before its usage was told: estimated
    FAILED = "failed"  # given back to the tenant, though an upstream had worked on it


Sums = dict[int, int]


def _sums() -> Sums:
    return defaultdict(int)


def _by_source() -> dict[Source, Sums]:
    return defaultdict(_sums)


@dataclass(slots=True)
class Tally:
    """Of one deployment and measure, tokens by step.

    `more` and `less` are how much more or less than the ledger Azure may have counted, by source.
    """

    ended: Sums = field(default_factory=_sums)
    begun: Sums = field(default_factory=_sums)
    more: dict[Source, Sums] = field(default_factory=_by_source)
    less: dict[Source, Sums] = field(default_factory=_by_source)
    errands: int = 0


Counted = dict[str, dict[Measure, Tally]]


def counted(rows: Iterable[LedgerRow], step_s: int) -> Counted:
    """Rows that an upstream saw, each charge once, by deployment and measure."""
    found: Counted = defaultdict(lambda: defaultdict(Tally))
    for row in rows:
        if row.deployment is None:
            continue
        for measure in TOKENS:
            tally = found[row.deployment][measure]
            if row.is_charged:
                _charge(tally, row, measure, step_s)
            elif row.kind in _GIVEN_BACK:
                tally.more[Source.FAILED][int(row.at // step_s)] += row.reserved_tokens
    return found


def _charge(tally: Tally, row: LedgerRow, measure: Measure, step_s: int) -> None:
    tokens, ended = tokens_of(row, measure), int(row.at // step_s)
    tally.ended[ended] += tokens
    tally.begun[int((row.started_at or row.at) // step_s)] += tokens
    tally.errands += tokens if row.errand else 0
    if _ESTIMATED in row.flags:
        source = Source.HEDGES if row.errand == Purpose.HEDGE else Source.BROKEN
        tally.less[source][ended] += tokens
        tally.more[source][ended] += _room(row, tokens, measure)


def _room(row: LedgerRow, tokens: int, measure: Measure) -> int:
    """A prompt's estimate may be off by as much as itself; an answer may have had its whole cap."""
    unused = max(0, row.reserved_tokens - row.input - row.output)
    rooms = {Measure.OUTPUT: unused, Measure.TOTAL: unused + row.input}
    return rooms.get(measure, tokens)


def tokens_of(row: LedgerRow, measure: Measure) -> int:
    """Of one request."""
    cached = min(row.cached_input, row.input)
    return {
        Measure.PROMPT: row.input,
        Measure.UNCACHED: row.input - cached,
        Measure.CACHED: cached,
        Measure.OUTPUT: row.output,
        Measure.TOTAL: row.input + row.output,
    }[measure]
