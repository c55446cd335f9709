"""Whole parts of a whole number: what is rounded adds up to what it is a part of."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

Weight = int | Fraction


def apportioned(total: int, weights: Sequence[Weight]) -> list[int]:
    """`total` in parts as large as the weights, by the largest remainder (Hare's quota).

    Each part is its exact share rounded down or up, and their sum is `total`. Of equal remainders
    the first one is rounded up. Raises ValueError where there is something to share out and no
    weight.
    """
    whole = sum(weights)
    if not whole:
        if total:
            raise ValueError("there is nobody to share it out among")
        return [0] * len(weights)
    exact = [Fraction(total) * weight / whole for weight in weights]
    parts = [part.numerator // part.denominator for part in exact]
    remainders = sorted(range(len(parts)), key=lambda place: parts[place] - exact[place])
    for place in remainders[: total - sum(parts)]:
        parts[place] += 1
    return parts
