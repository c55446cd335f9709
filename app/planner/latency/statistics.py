"""What times amount to: their usual statistics, each as sure as the sample makes it.

Intervals are bootstrap percentiles at 95 %: the sample is drawn anew with replacement, and the
middle 95 % of what the statistic is then are kept. The least and the greatest value have none: of
extremes the bootstrap knows nothing. Nor has a percentile beyond which not even one value of the
sample is expected, such as p99 of 50 values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

RESAMPLES: Final = 1000
LEVEL: Final = 0.95
_LOW: Final = (1 - LEVEL) / 2
#: With fewer values every resample is nearly the sample itself.
_LEAST_VALUES: Final = 5
_QUANTILES: Final[Mapping[str, float]] = {"median": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic of a sample, and the ends of its interval; None: the sample is too small."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """Statistics of one kind of time, in its own unit."""

    count: int
    least: float
    greatest: float
    mean: Estimate
    median: Estimate
    p95: Estimate
    p99: Estimate


def quantile(ordered: Sequence[float], part: float) -> float:
    """The value below which `part` of ascending values are, interpolated between neighbours.

    Hyndman and Fan's type 7, which numpy and spreadsheets use. Raises ValueError for none.
    """
    if not ordered:
        raise ValueError("no values")
    place = (len(ordered) - 1) * part
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def summarize(
    values: Sequence[float], rng: Random, *, resamples: int = RESAMPLES
) -> Summary | None:
    """Their statistics; None of no values. The same `rng` gives the same intervals."""
    if not values:
        return None
    ordered = sorted(values)
    drawn = _drawn(ordered, rng, resamples)
    mean = _estimate(_mean(ordered), [_mean(each) for each in drawn])
    by_name = {name: _quantile_estimate(ordered, drawn, part) for name, part in _QUANTILES.items()}
    return Summary(len(ordered), ordered[0], ordered[-1], mean, **by_name)


def ratio_of_medians(
    values: Sequence[float], to: Sequence[float], rng: Random, *, resamples: int = RESAMPLES
) -> Estimate | None:
    """The median of `values` in medians of `to`; None where it cannot be told."""
    ours, theirs = sorted(values), sorted(to)
    if not ours or not theirs or not quantile(theirs, 0.5):
        return None
    value = quantile(ours, 0.5) / quantile(theirs, 0.5)
    pairs = zip(_drawn(ours, rng, resamples), _drawn(theirs, rng, resamples), strict=False)
    medians = ((quantile(one, 0.5), quantile(other, 0.5)) for one, other in pairs)
    return _estimate(value, [one / other for one, other in medians if other])


def _drawn(ordered: Sequence[float], rng: Random, resamples: int) -> list[list[float]]:
    if len(ordered) < _LEAST_VALUES:
        return []
    return [sorted(rng.choices(ordered, k=len(ordered))) for _ in range(resamples)]


def _quantile_estimate(
    ordered: Sequence[float], drawn: Sequence[Sequence[float]], part: float
) -> Estimate:
    value = quantile(ordered, part)
    # Rounded, because 1 - 0.95 is not quite a twentieth.
    if round(len(ordered) * (1 - part), 9) < 1:
        return Estimate(value)
    return _estimate(value, [quantile(each, part) for each in drawn])


def _estimate(value: float, resampled: Sequence[float]) -> Estimate:
    if not resampled:
        return Estimate(value)
    ordered = sorted(resampled)
    # A mean of the same values in another order may differ by a rounding.
    low, high = quantile(ordered, _LOW), quantile(ordered, 1 - _LOW)
    return Estimate(value, min(low, value), max(high, value))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
