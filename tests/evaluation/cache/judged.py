"""Decide on labelled pairs as the gateway does, and count what was right and what was wrong."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from app.domain.cache.decision import may_serve
from app.domain.cache.guards.phrasebook import Phrasebook
from tests.evaluation.cache.labelled import Pair

_ANY: Final = 2.0  # no cosine distance is larger
_BATCH: Final = 64


class Encoder(Protocol):
    """What embeds texts; see app.adapters.embedder.local."""

    def encode(self, texts: Sequence[str]) -> list[bytes]:
        """Unit vectors as little-endian f32."""
        ...


@dataclass(frozen=True, slots=True)
class Judged:
    """A pair, its distance, and the guard that refused it; "" for none."""

    pair: Pair
    distance: float
    refused_by: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Score:
    """`served` of them, `wrong` of those; `right` of the `same` pairs."""

    same: int
    right: int
    wrong: int
    pairs: int

    @property
    def hit_rate(self) -> float:
        """Served of those that mean the same."""
        return self.right / self.same if self.same else 0.0

    @property
    def false_hit_rate(self) -> float:
        """Wrong of those served."""
        return self.wrong / (self.right + self.wrong) if self.wrong else 0.0


def judge(pairs: Sequence[Pair], encoder: Encoder, book: Phrasebook) -> list[Judged]:
    """Each pair with what the guards say at any distance."""
    distances = _distances(pairs, encoder)
    return [_judged(pair, at, book) for pair, at in zip(pairs, distances, strict=True)]


def _judged(pair: Pair, distance: float, book: Phrasebook) -> Judged:
    begun = time.perf_counter()
    verdict = may_serve(pair.b, pair.a, distance, threshold=_ANY, book=book)
    return Judged(pair, distance, verdict.refused_by, time.perf_counter() - begun)


def _distances(pairs: Sequence[Pair], encoder: Encoder) -> list[float]:
    distances = []
    for start in range(0, len(pairs), _BATCH):
        some = pairs[start : start + _BATCH]
        vectors = encoder.encode([text for pair in some for text in (pair.a, pair.b)])
        numbers = [struct.unpack(f"<{len(vector) // 4}f", vector) for vector in vectors]
        for one, other in zip(numbers[::2], numbers[1::2], strict=True):
            dot = sum(x * y for x, y in zip(one, other, strict=True))
            distances.append(max(0.0, 1 - dot))
    return distances


def score(judged: Iterable[Judged], served: Callable[[Judged], bool]) -> Score:
    """What serving by `served` comes to."""
    same = right = wrong = pairs = 0
    for each in judged:
        pairs += 1
        same += each.pair.same
        if served(each):
            right += each.pair.same
            wrong += not each.pair.same
    return Score(same, right, wrong, pairs)


def bare(threshold: float) -> Callable[[Judged], bool]:
    """Serve by distance alone."""
    return lambda each: each.distance <= threshold


def guarded(threshold: float) -> Callable[[Judged], bool]:
    """Serve as the gateway does."""
    return lambda each: each.distance <= threshold and not each.refused_by
