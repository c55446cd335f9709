"""Plans that are made at once, when a test says so."""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import AlreadyRunning
from app.planner.sizing.job import PlanAsk, PlanJob, PlanState
from tests.fakes.changed import replace


@dataclass(slots=True)
class FakePlanner:
    """A Planner; `current` is set by tests."""

    current: PlanJob | None = None

    def start(self, ask: PlanAsk, by: str = "") -> PlanJob:
        if self.current is not None and self.current.state is PlanState.RUNNING:
            raise AlreadyRunning("A plan is being made.")
        self.current = PlanJob(ask, 7.0, by=by)
        return self.current

    async def cancel(self) -> PlanJob | None:
        if self.current is not None and self.current.state is PlanState.RUNNING:
            self.current = replace(self.current, state=PlanState.CANCELLED, ended_at=8.0)
        return self.current
