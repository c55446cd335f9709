"""How many users there are at a time: steady, ramp or burst."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

_RAMP_STEPS: Final = 10
_RAMP_PART: Final = 0.8
_BURSTS: Final = 4
_BURST_PART: Final = 0.4
_CALM_PART: Final = 0.2


@dataclass(frozen=True, slots=True)
class Load:
    """What a profile is made of: users at its peak, users that may come per second, seconds."""

    users: int
    rate: float
    run_s: float


#: Users at a time in seconds from the start; None once it is over.
Shape = Callable[[Load, float], int | None]


def steady(load: Load, at_s: float) -> int | None:
    """All of them, all the time."""
    return load.users if at_s < load.run_s else None


def ramp(load: Load, at_s: float) -> int | None:
    """A tenth more with each step over four fifths of the time, then all of them."""
    if at_s >= load.run_s:
        return None
    step = int(at_s / (load.run_s * _RAMP_PART) * _RAMP_STEPS) + 1
    return max(1, load.users * min(step, _RAMP_STEPS) // _RAMP_STEPS)


def burst(load: Load, at_s: float) -> int | None:
    """Four times calm, a fifth of the users, and then all at once."""
    if at_s >= load.run_s:
        return None
    place = at_s / load.run_s * _BURSTS % 1
    calm = max(1, int(load.users * _CALM_PART))
    return calm if place < 1 - _BURST_PART else load.users


def rate_of(shape: Shape, load: Load) -> float:
    """Users that come or go per second: those of a burst come at once."""
    return float(load.users) if shape is burst else load.rate


SHAPES: Final[Mapping[str, Shape]] = {"steady": steady, "ramp": ramp, "burst": burst}
