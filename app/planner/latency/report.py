"""What a comparison found: per deployment how many were answered, and how fast."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from random import Random
from typing import Any, Final

from app.planner.latency.plan import Plan
from app.planner.latency.sample import Ending, Sample
from app.planner.latency.statistics import Estimate, Summary, ratio_of_medians, summarize

#: Kinds of time, as fields of a sample: what they are called.
TIMES: Final[Mapping[str, str]] = {"ttft_s": "TTFT", "tpot_s": "TPOT", "latency_s": "latency"}


@dataclass(frozen=True, slots=True)
class Measured:
    """One deployment; times in seconds, by the names of `TIMES`."""

    deployment: str
    answered: int
    throttled: int
    failed: int
    left_out: int
    """Requests that were not sent, because all of its warm-up had failed."""
    why: Mapping[str, int]
    """What refusals and failures said, and how often; for those left out, its last warm-up."""
    input_tokens: float
    cached_tokens: float
    output_tokens: float
    """Means over the answers."""
    values: Mapping[str, tuple[float, ...]]
    times: Mapping[str, Summary | None]
    ratios: Mapping[str, Estimate | None]
    """Its median in medians of the first deployment; empty for the first."""

    def as_json(self) -> dict[str, Any]:
        """All but the single values."""
        return {name: value for name, value in asdict(self).items() if name != "values"}


def report(plan: Plan, samples: Iterable[Sample]) -> tuple[Measured, ...]:
    """The deployments in the plan's order; the plan's seed makes intervals repeatable."""
    by_deployment: dict[str, list[Sample]] = {name: [] for name in plan.deployments}
    for sample in samples:
        by_deployment[sample.deployment].append(sample)
    first = _values(by_deployment[plan.deployments[0]])
    return tuple(
        _measured(name, found, {} if name == plan.deployments[0] else first, plan.seed)
        for name, found in by_deployment.items()
    )


def _measured(
    name: str, samples: list[Sample], first: Mapping[str, tuple[float, ...]], seed: int
) -> Measured:
    rng = Random(seed)  # noqa: S311  # resamples, repeatable by their seed
    endings = Counter(sample.ending for sample in samples)
    answered = [sample for sample in samples if sample.ending is Ending.ANSWERED]
    values = _values(samples)
    return Measured(
        deployment=name,
        answered=endings[Ending.ANSWERED],
        throttled=endings[Ending.THROTTLED],
        failed=endings[Ending.FAILED],
        left_out=endings[Ending.LEFT_OUT],
        why=dict(Counter(sample.why for sample in samples if sample.why).most_common()),
        input_tokens=_mean(sample.input_tokens for sample in answered),
        cached_tokens=_mean(sample.cached_tokens for sample in answered),
        output_tokens=_mean(sample.output_tokens for sample in answered),
        values=values,
        times={each: summarize(values[each], rng) for each in TIMES},
        ratios={each: ratio_of_medians(values[each], first[each], rng) for each in first},
    )


def _values(samples: Iterable[Sample]) -> dict[str, tuple[float, ...]]:
    """By kind of time, those that were taken."""
    kept = list(samples)
    return {
        each: tuple(value for sample in kept if (value := getattr(sample, each)) is not None)
        for each in TIMES
    }


def _mean(counts: Iterable[int]) -> float:
    listed = list(counts)
    return sum(listed) / len(listed) if listed else 0.0
