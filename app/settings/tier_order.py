"""Tiers in which PTU first does not hold: it is a rule between tiers, and nothing within one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.settings.model import Settings
from app.settings.tiers import WeightedTarget


def tier_warnings(settings: Settings) -> Iterator[str]:
    """A line for each tier that mixes both kinds, or has a PTU behind pay-as-you-go.

    Tiers are counted from 1.
    """
    for name, model in settings.models.items():
        place, before = f"models.{name}.tiers", list[str]()
        for number, tier in enumerate(model.tiers, 1):
            ptus, paygo = _of(settings, tier, "ptu"), _of(settings, tier, "paygo")
            if ptus and paygo:
                yield (
                    f"{place}: tier {number} has PTUs ({', '.join(ptus)}) beside pay-as-you-go "
                    f"({', '.join(paygo)}): weights decide between them, PTUs are not first"
                )
            if ptus and before:
                yield (
                    f"{place}: tier {number} has PTUs ({', '.join(ptus)}) behind pay-as-you-go "
                    f"({', '.join(before)}): they idle while that has room"
                )
            before += paygo


def _of(settings: Settings, tier: Sequence[WeightedTarget], kind: str) -> list[str]:
    return [each.name for each in tier if settings.deployments[each.name].kind == kind]
