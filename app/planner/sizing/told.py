"""A plan as JSON: what the command prints, the admin API answers, and plots are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from app.planner.sizing.plan import Option, PtuPlan, Recommendation

Told = Mapping[str, Any]


def as_json(found: PtuPlan) -> dict[str, Any]:
    """Everything; days' costs are left out."""
    return {
        **{name: getattr(found, name) for name in ("requests", "tokens", "since", "until", "days")},
        "options": [option_as_json(each) for each in found.options],
        "recommendations": [_recommendation(each) for each in found.recommendations],
        "variants": [asdict(each) for each in found.variants],
    }


def option_as_json(each: Option) -> dict[str, Any]:
    """One number of PTUs; shares are parts of 1, `usd` is by term."""
    names = ("ptus", "utilization", "spilled", "spilled_share", "spilled_tokens", "refused")
    told = {name: getattr(each, name) for name in (*names, "wait_s")}
    spill = next(iter(each.costs.values())).spill_usd
    return {**told, "spill_usd": spill, "usd": {name: c.usd for name, c in each.costs.items()}}


def _recommendation(each: Recommendation) -> dict[str, Any]:
    return {
        "term": each.term,
        "ptus": each.option.ptus,
        "confidence": {str(ptus): part for ptus, part in each.confidence.items()},
        "break_even": each.break_even,
        "hours": asdict(each.hours),
        "timeline": asdict(each.timeline),
    }
