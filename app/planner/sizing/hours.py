"""How full PTUs are, and how much spills, by hour of the week."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.planner.sizing.replay import Replayed, Weighed

HOURS_OF_A_WEEK: Final = 168
_HOUR_S: Final = 3600
#: The first hour of Unix time is on a Thursday; weeks begin on Monday, all in UTC.
_THURSDAY: Final = 72


@dataclass(frozen=True, slots=True)
class Hours:
    """By hour of the week, from Monday 0:00 UTC on; None where the period has no such hour.

    `utilization` is served work by capacity, 1.0 being all; `spilled` is a share of requests.
    """

    utilization: tuple[float | None, ...]
    spilled: tuple[float | None, ...]


def by_hour(replayed: Replayed, traffic: Weighed) -> Hours:
    """Work counts in the hour in which its request began."""
    used, requests, spilled = ([0.0] * HOURS_OF_A_WEEK for _ in range(3))
    for each, weight, served in zip(traffic.requests, traffic.used, replayed.served, strict=True):
        hour = _hour(each.at)
        requests[hour] += 1
        spilled[hour] += not served
        used[hour] += weight * served
    there = _times(traffic.requests[0].at, traffic.requests[-1].at)
    capacity = [times * replayed.rate * _HOUR_S for times in there]
    return Hours(_shares(used, capacity), _shares(spilled, requests))


def _hour(at: float) -> int:
    return (int(at // _HOUR_S) + _THURSDAY) % HOURS_OF_A_WEEK


def _times(first: float, last: float) -> list[int]:
    """How often each hour of the week is in the period, begun ones included."""
    times = [0] * HOURS_OF_A_WEEK
    for hour in range(int(first // _HOUR_S), int(last // _HOUR_S) + 1):
        times[(hour + _THURSDAY) % HOURS_OF_A_WEEK] += 1
    return times


def _shares(parts: Sequence[float], wholes: Sequence[float]) -> tuple[float | None, ...]:
    return tuple(part / whole if whole else None for part, whole in zip(parts, wholes, strict=True))
