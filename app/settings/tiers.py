"""Tiers of a model: a list of names, or names with weights, as one form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

MAX_WEIGHT: Final = 1_000_000
#: What a file may have, for the configuration's JSON Schema.
TIERS_SCHEMA: Final = {
    "type": "array",
    "minItems": 1,
    "items": {
        "anyOf": [
            {"type": "array", "minItems": 1, "items": {"type": "string"}},
            {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": {
                    "type": "number",
                    "exclusiveMinimum": 0,
                    "maximum": MAX_WEIGHT,
                },
            },
        ]
    },
}


class WeightedTarget(NamedTuple):
    """A deployment within a tier; weights only compare with others of the same tier."""

    name: str
    weight: float = 1.0


def normalised_tiers(value: object) -> object:
    """`[[a, b], {c: 3}]` as tuples of WeightedTarget; ValueError when it is anything else."""
    return tuple(_targets(tier) for tier in _listed(value, "must be a list of tiers"))


def weight_of(value: object) -> float | None:
    """A weight as a number, or None when it is not one: above 0 and at most MAX_WEIGHT."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value <= MAX_WEIGHT else None


def _targets(tier: object) -> tuple[WeightedTarget, ...]:
    if isinstance(tier, Mapping):
        return tuple(_weighted(name, weight) for name, weight in tier.items())
    return tuple(_target(item) for item in _listed(tier, "each tier must be a list of names"))


def _target(item: object) -> WeightedTarget:
    return item if isinstance(item, WeightedTarget) else _weighted(item, 1.0)


def _weighted(name: object, value: object) -> WeightedTarget:
    weight = weight_of(value)
    if not isinstance(name, str) or weight is None:
        msg = "each tier must hold names of deployments, and weights above 0"
        raise ValueError(msg)
    return WeightedTarget(name, weight)


def _listed(value: object, message: str) -> Sequence[object]:
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise ValueError(message)  # noqa: TRY004 - pydantic collects ValueError, not TypeError
    return value
