"""Deployments whose models are retired soon, or were: what answers today will not for ever."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from app.settings.model import Settings

#: From so many days before it on, a retirement is spoken of.
NOTICE_DAYS: Final = 90


@dataclass(frozen=True, slots=True)
class Retirement:
    """A deployment and the day on which it is retired; from that day on it is over."""

    deployment: str
    day: date
    days_left: int

    @property
    def is_over(self) -> bool:
        """Whether requests are lost on it, as far as the configuration knows."""
        return self.days_left <= 0

    def __str__(self) -> str:
        place, what = f"deployments.{self.deployment}.retires", "give its models another deployment"
        if self.is_over:
            return f"{place}: RETIRED on {self.day}: {what} now"
        days = "1 day" if self.days_left == 1 else f"{self.days_left} days"
        return f"{place}: in {days}, on {self.day}: {what} before"


def retirements(settings: Settings, today: date) -> list[Retirement]:
    """Those that are near or past on a day, UTC, the soonest first."""
    found = [
        Retirement(each.name, each.retires, (each.retires - today).days)
        for each in settings.deployments.values()
        if each.retires is not None
    ]
    near = (each for each in found if each.days_left <= NOTICE_DAYS)
    return sorted(near, key=lambda each: each.day)
