"""What was measured of one tenant's answers by meaning, as it is counted and as it is shown."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from app.domain.cache.error_rate import Band, Comparison, ErrorRate, Interval, band_of, total

#: Evidence fades: so many days are counted, each as much as the other.
DAYS: Final = 30
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of one tenant and model."""

    bands: tuple[Band, ...] = ()
    undecided: int = 0

    @property
    def error_rate(self) -> ErrorRate:
        """Of what was decided."""
        return total(self.bands)


@dataclass(frozen=True, slots=True)
class MeasuredError:
    """One tenant and model, for those who look after the cache.

    `samples` of answers by meaning were compared with fresh ones, and `false_hits` were different;
    `undecided` further ones could not be told. The rate lies between `low` and `high` with 95 %
    confidence. `threshold` is the largest cosine distance in force, at most `widest`.
    """

    tenant: str
    model: str
    samples: int
    false_hits: int
    undecided: int
    rate: float
    low: float
    high: float
    threshold: float
    widest: float


@dataclass(frozen=True, slots=True)
class WrongHit:
    """What telling of a wrong answer did: how many were evicted, and whether it was counted."""

    evicted: int
    counted: bool


def measured(
    tenant: str, model: str, evidence: Evidence, *, threshold: float, widest: float
) -> MeasuredError:
    """The evidence as it is shown."""
    found = evidence.error_rate
    interval: Interval = found.interval
    return MeasuredError(
        tenant=tenant,
        model=model,
        samples=found.samples,
        false_hits=found.different,
        undecided=evidence.undecided,
        rate=found.rate,
        low=interval.low,
        high=interval.high,
        threshold=threshold,
        widest=widest,
    )


def day_of(unix: float) -> int:
    """The day (UTC) that a Unix time is in, counted from 1970."""
    return int(unix // _DAY_S)


def field_of(model: str, distance: float, comparison: Comparison) -> str:
    """How one comparison is counted: `COMPARISON:BAND:MODEL`."""
    return f"{comparison}:{band_of(distance)}:{model}"


def evidence_by_model(days: Iterable[Mapping[str, int]]) -> dict[str, Evidence]:
    """The counts of these days together; fields of another form are passed over."""
    counts: defaultdict[str, Counter[tuple[str, int]]] = defaultdict(Counter)
    for day in days:
        for field, count in day.items():
            comparison, _, rest = field.partition(":")
            band, _, model = rest.partition(":")
            if comparison in set(Comparison) and band.isdecimal() and count > 0:
                counts[model][comparison, int(band)] += count
    return {model: _evidence(found) for model, found in counts.items()}


def _evidence(counts: Counter[tuple[str, int]]) -> Evidence:
    numbers = sorted({band for comparison, band in counts if comparison != Comparison.UNDECIDED})
    bands = (
        Band(each, counts[Comparison.SAME, each], counts[Comparison.DIFFERENT, each])
        for each in numbers
    )
    undecided = sum(
        count for (comparison, _), count in counts.items() if comparison == Comparison.UNDECIDED
    )
    return Evidence(tuple(bands), undecided)
