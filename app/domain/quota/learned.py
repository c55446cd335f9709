"""How long a tenant's answers from a model are: what is reserved where nobody capped the output.

A flat figure starves small quotas if it is large and reserves too little if it is small. Each
tenant and model has a histogram of the lengths seen, older ones weighing less and less.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from typing import Final

#: What is taken for the 95th percentile until enough answers have been seen.
UNKNOWN: Final = 500
#: What is taken for the mean until then.
TYPICAL: Final = 256
ENOUGH: Final = 20
QUANTILE: Final = 0.95
#: Pairs of tenant and model that are remembered; the longest unused is forgotten first.
MOST_PAIRS: Final = 10_000
#: An answer weighs half once about 700 more have come.
_FADING: Final = 0.999
#: How much of the mean the newest answer is, at least.
_MEAN_GAIN: Final = 0.02
_BUCKETS_PER_OCTAVE: Final = 4
_OCTAVES: Final = 22


class LearnedOutput:
    """Answers' lengths in tokens, by tenant and model; in memory."""

    def __init__(self) -> None:
        self._pairs: OrderedDict[tuple[str, str], _Histogram] = OrderedDict()

    def output(self, tenant: str, model: str) -> int:
        """Tokens that 95 of 100 answers do not exceed, rounded up by a fifth at most."""
        found = self._pairs.get((tenant, model))
        return UNKNOWN if found is None or found.seen < ENOUGH else found.quantile()

    def typical_output(self, tenant: str, model: str) -> int:
        """Tokens of an answer on average."""
        found = self._pairs.get((tenant, model))
        return TYPICAL if found is None or found.seen < ENOUGH else round(found.mean)

    def observe(self, tenant: str, model: str, tokens: int) -> None:
        """Take note of one answer that ended by itself."""
        pair = (tenant, model)
        histogram = self._pairs.get(pair)
        if histogram is None:
            histogram = self._pairs[pair] = _Histogram()
            if len(self._pairs) > MOST_PAIRS:
                self._pairs.popitem(last=False)
        self._pairs.move_to_end(pair)
        histogram.add(tokens)


class _Histogram:
    """Weights by length, in buckets each a fifth wider than the one before.

    Where the quantile is changes little from one answer to the next: it is looked for from where it
    was.
    """

    __slots__ = ("_at", "_below", "_total", "_unit", "_weights", "mean", "seen")

    def __init__(self) -> None:
        self.seen = 0
        self.mean = 0.0
        self._unit = 1.0  # what an answer weighs now: growing, instead of all others shrinking
        self._weights = [0.0] * (_OCTAVES * _BUCKETS_PER_OCTAVE)
        self._total = 0.0
        self._at = 0  # the bucket of the quantile, when it was last looked for
        self._below = 0.0  # what those before it weigh

    def add(self, tokens: int) -> None:
        self.seen += 1
        self.mean += (tokens - self.mean) * max(1 / self.seen, _MEAN_GAIN)
        bucket, unit = bisect_left(_BOUNDS, tokens), self._unit
        self._weights[bucket] += unit
        self._total += unit
        if bucket < self._at:
            self._below += unit
        self._unit = unit / _FADING
        if self._unit > 1e100:  # noqa: PLR2004  # long before a float ends
            self._weigh_anew()

    def quantile(self) -> int:
        weights, wanted = self._weights, self._total * QUANTILE
        at, below = self._at, self._below
        while at and below >= wanted:
            at -= 1
            below -= weights[at]
        while at < len(_BOUNDS) and below + weights[at] < wanted:
            below += weights[at]
            at += 1
        self._at, self._below = at, below
        return _UPPER[at]

    def _weigh_anew(self) -> None:
        self._weights = [weight / self._unit for weight in self._weights]
        self._unit, self._total = 1.0, sum(self._weights)
        self._at, self._below = 0, 0.0


#: The longest answer that each bucket holds; the last one holds all longer ones, too.
_UPPER: Final = tuple(
    int(2 ** ((bucket + 1) / _BUCKETS_PER_OCTAVE))
    for bucket in range(_OCTAVES * _BUCKETS_PER_OCTAVE)
)
_BOUNDS: Final = _UPPER[:-1]
