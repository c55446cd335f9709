"""How often answers by meaning were wrong, how sure that is, and what it leaves of the threshold.

Evidence is pairs of answers that were compared, counted in bands of the distance of their prompts.
What is not sure is not held against the cache until there is enough evidence to have proved it
good; from then on it has to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, sqrt
from typing import Final

#: Of the standard normal distribution, two-sided at 95 %.
_Z: Final = 1.959963984540054
#: Fewer comparisons prove nothing, however they end.
LEAST: Final = 20
#: How much better than the bound evidence has to be for a threshold to widen again: else each
#: comparison near the bound would open and shut the cache.
EASED: Final = 0.75
#: Of a band of distances. Cosine distance.
BAND: Final = 0.01


class Comparison(StrEnum):
    """What came of comparing a kept answer with a fresh one; a closed set."""

    SAME = "same"
    DIFFERENT = "different"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a rate lies, with 95 % confidence."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Band:
    """Comparisons of prompts that are `number` * BAND to one BAND more apart."""

    number: int
    same: int = 0
    different: int = 0

    @property
    def begins(self) -> float:
        """The least distance in it."""
        return self.number * BAND


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """`different` of `samples` comparisons that were decided."""

    samples: int
    different: int

    @property
    def rate(self) -> float:
        """The part that was different; 0 of none."""
        return self.different / self.samples if self.samples else 0.0

    @property
    def interval(self) -> Interval:
        """Wilson's score interval; all from 0 to 1 without samples."""
        return wilson(self.different, self.samples)


def wilson(hits: int, trials: int) -> Interval:
    """Wilson's score interval of a rate (E. B. Wilson, 1927), at 95 %."""
    if not trials:
        return Interval(0.0, 1.0)
    rate, square = hits / trials, _Z * _Z
    centre = rate + square / (2 * trials)
    spread = _Z * sqrt(rate * (1 - rate) / trials + square / (4 * trials * trials))
    scale = 1 + square / trials
    low = max(0.0, (centre - spread) / scale) if hits else 0.0
    high = min(1.0, (centre + spread) / scale) if hits < trials else 1.0
    return Interval(low, high)


def enough(bound: float) -> int:
    """Comparisons after which a cache that was never wrong is proved to keep the bound."""
    return ceil(_Z * _Z * (1 - bound) / bound)


def band_of(distance: float) -> int:
    """The number of the band that a distance is in; rounding may have made it less than 0."""
    return max(0, int(distance / BAND))


def tightened(
    bands: Sequence[Band], *, bound: float, widest: float, current: float | None = None
) -> float:
    """The largest distance at which answers may be served, at most `widest`; 0: none.

    `current` is the threshold in force, which is left at once for a smaller one, and for a larger
    one when the evidence for that is better than it need be.
    """
    strict = _threshold(bands, bound, widest, enough(bound))
    if current is None or strict < current:
        return strict
    return max(min(current, widest), _threshold(bands, EASED * bound, widest, enough(bound)))


def total(bands: Sequence[Band]) -> ErrorRate:
    """Of all of them."""
    different = sum(band.different for band in bands)
    return ErrorRate(different + sum(band.same for band in bands), different)


def _threshold(bands: Sequence[Band], bound: float, widest: float, proof: int) -> float:
    within = sorted((band for band in bands if band.begins < widest), key=lambda band: band.number)
    if not _is_refuted(total(within), bound, proof):
        return widest
    # A band holds until the next one of which something is known.
    ends = [band.begins for band in within[1:]] + [widest]
    allowed, samples, different = 0.0, 0, 0
    for band, end in zip(within, ends, strict=True):
        samples += band.same + band.different
        different += band.different
        if wilson(different, samples).high <= bound:
            allowed = end
    return allowed


def _is_refuted(found: ErrorRate, bound: float, proof: int) -> bool:
    """Surely too often wrong; or not surely good although it could be known by now."""
    surely = found.interval
    return (found.samples >= LEAST and surely.low > bound) or (
        found.samples >= proof and surely.high > bound
    )
