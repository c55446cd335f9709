"""A plan that is made beside a gateway: what is asked, how far it is, and what was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class PlanAsk:
    """As the options of `spillgate plan`; times are Unix seconds, None is its default."""

    model: str
    base_model: str | None = None
    since: float | None = None
    until: float | None = None
    kind: str | None = None
    most: int | None = None
    ptus: tuple[int, ...] = ()
    usd_per_ptu_hour: float | None = None
    usd_per_ptu_month: float | None = None
    usd_per_ptu_year: float | None = None
    growth: float | None = None
    cached: float | None = None
    without: tuple[str, ...] = ()
    seed: int | None = None
    variants: bool = False

    def arguments(self) -> list[str]:
        """For the command; each is one text, so that nothing given is taken for an option."""
        told = [f"--{name}={value}" for name, value in self._options() if value is not None]
        return [*told, *(["--variants"] if self.variants else [])]

    def _options(self) -> Iterator[tuple[str, object]]:
        yield from (("model", self.model), ("as", self.base_model))
        yield from (("since", _moment(self.since)), ("until", _moment(self.until)))
        yield from (("kind", self.kind), ("most", self.most))
        yield from (("ptus", number) for number in self.ptus)
        for term in ("hour", "month", "year"):
            yield f"usd-per-ptu-{term}", getattr(self, f"usd_per_ptu_{term}")
        yield from (("growth", self.growth), ("cached", self.cached))
        yield from (("without", tenant) for tenant in self.without)
        yield "seed", self.seed


class PlanState(StrEnum):
    """How far it is; a closed set."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class PlanJob:
    """`replayed` numbers of PTUs so far; `told` is the plan as JSON once done; `by`: whose."""

    ask: PlanAsk
    started_at: float
    state: PlanState = PlanState.RUNNING
    replayed: int = 0
    ended_at: float | None = None
    error: str | None = None
    told: Mapping[str, Any] | None = None
    by: str = ""


def _moment(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat()
