"""How much spills as time goes on: each hour of a short period, each day of a long one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.planner.sizing.replay import Replayed, Weighed

#: Lengths of a step in seconds: an hour, a quarter of a day, a day, a week.
_STEPS: Final = (3600, 21_600, 86_400, 604_800)
#: More points than a plot is wide tell nobody anything.
_MOST: Final = 400


@dataclass(frozen=True, slots=True)
class Timeline:
    """Shares of requests that spill, from `since` (Unix seconds) on; None: there were none."""

    since: float
    step_s: int
    spilled: tuple[float | None, ...]


def timeline(replayed: Replayed, traffic: Weighed) -> Timeline:
    """In whole steps of UTC; of the lengths the shortest that makes few enough of them."""
    first, last = traffic.requests[0].at, traffic.requests[-1].at
    step_s = next((each for each in _STEPS if last - first < each * _MOST), _STEPS[-1])
    begin = int(first // step_s)
    count = int(last // step_s) - begin + 1
    requests, spilled = [0] * count, [0] * count
    for each, served in zip(traffic.requests, replayed.served, strict=True):
        step = int(each.at // step_s) - begin
        requests[step] += 1
        spilled[step] += not served
    shares = (
        part / whole if whole else None for part, whole in zip(spilled, requests, strict=True)
    )
    return Timeline(float(begin * step_s), step_s, tuple(shares))
