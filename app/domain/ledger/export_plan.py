"""Which rows of the ledger go into which file, so that each is in exactly one, whenever it came.

Two numbers say what is exported: all lines of the archive up to `line`, of times before `through`.
A step moves both; it is decided before anything is written, and done again after a crash, with the
same files as its result.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final


class Every(StrEnum):
    """How much time a file is about (UTC); a closed set."""

    HOUR = "hour"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Done:
    """What is exported: lines up to `line` with times before `through` (Unix seconds)."""

    line: int
    through: float


@dataclass(frozen=True, slots=True)
class Step:
    """From one state to the next: rows that came late go into files of their own."""

    before: Done
    after: Done

    def is_new(self, line: int, at: float) -> bool:
        """Whether the row is exported by this step."""
        exported = line <= self.before.line and at < self.before.through
        return line <= self.after.line and at < self.after.through and not exported

    def is_late(self, at: float) -> bool:
        """Whether a row of this time has missed the file of its period."""
        return at < self.before.through


@dataclass(frozen=True, slots=True)
class Period:
    """The hour or day of a file; `starts` is in it, `ends` is not (Unix seconds)."""

    name: str  # 2026-11-20, or 2026-11-20T13 (UTC)
    starts: float
    ends: float

    @property
    def day(self) -> str:
        """The day that it is, or is of."""
        return self.name[:10]


_FORMS: Final = {Every.HOUR: "%Y-%m-%dT%H", Every.DAY: "%Y-%m-%d"}
_LENGTHS: Final = {Every.HOUR: timedelta(hours=1), Every.DAY: timedelta(days=1)}


def period_at(moment: float, every: Every) -> Period:
    """The one that a moment (Unix seconds) lies in."""
    start = datetime.fromtimestamp(moment, UTC).replace(minute=0, second=0, microsecond=0)
    if every is Every.DAY:
        start = start.replace(hour=0)
    ends = start + _LENGTHS[every]
    return Period(start.strftime(_FORMS[every]), start.timestamp(), ends.timestamp())


def next_step(done: Done, line: int, now: float, every: Every, grace_s: float) -> Step | None:
    """Write the period that follows, once it is over for `grace_s`; None: it is not yet.

    `line` is the archive's last. One period at a time: however far behind, a step is bounded.
    """
    period = period_at(done.through, every)
    if now < period.ends + grace_s:
        return None
    return Step(done, Done(max(line, done.line), period.ends))
