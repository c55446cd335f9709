"""How much requests weigh and how fast a bucket drains, learnt from what Azure reveals.

Between two moments at which the level is revealed it should have changed by `scale` times what was
taken, less `pace` times the seconds that passed. Where it has not, a Kalman filter over level,
scale and pace shares the error out by how uncertain each of the three was. What none of them
explains is traffic that nobody tells of: its variance per second is the noise.
"""

from __future__ import annotations

from math import erfc, exp, pi, sqrt
from typing import Final, NamedTuple

import msgspec

#: The configuration is right within so much (standard deviation, of 1).
_PRIOR: Final = 0.3
#: Scale and pace wander by so much in an hour (standard deviation): traffic past us comes and goes.
_DRIFT: Final = 0.045
_HOUR: Final = 3600.0
#: Where 429s alone speak, only errors of one sign are seen, and what is learnt from them runs away
#: in small steps. A bucket of half or double the depth with less or more capacity is within these.
_LEAST: Final = 0.45
_MOST: Final = 4.0
#: Variance of what is rounded and what is on the way, squared seconds.
_GRAIN: Final = 0.001
#: An error of more standard deviations than these is an event, and teaches no more than they do.
_CLIP: Final = 2.0
#: For how many seconds the noise is remembered.
_NOISE_S: Final = 100.0
#: An acceptance is no news where the level was believed this many standard deviations below full.
_SURE: Final = 4.0


class Learnt(NamedTuple):
    """All that is known; `ll` to `pp` are the covariances of level, scale and pace."""

    scale: float = 1.0
    pace: float = 1.0
    ll: float = 0.0
    ls: float = 0.0
    lp: float = 0.0
    ss: float = _PRIOR * _PRIOR
    sp: float = 0.0
    pp: float = _PRIOR * _PRIOR
    noise: float = 0.0
    """Variance that the level gains in a second from what nobody tells of."""

    def at_zero(self) -> Learnt:
        """The level is nothing, however it came to that."""
        if not self.ll and not self.ls and not self.lp:
            return self
        return self._replace(ll=0.0, ls=0.0, lp=0.0)


#: A variance so small is none: to divide by it would be to learn everything from a rounding.
_NOTHING: Final = 1e-9


class Stretch(msgspec.Struct, frozen=True, gc=False):
    """Since the level was last revealed: seconds of capacity taken, drained, and passed at all."""

    taken: float
    drained: float
    passed: float


def revealed(known: Learnt, error: float, width: float, stretch: Stretch) -> Learnt:
    """After the level was revealed within `width`, `error` above where it was believed."""
    spread = _spread(known, stretch)
    total = spread[0] + width * width / 12 + _GRAIN
    most = _CLIP * sqrt(total)
    certainty = spread[0] / total
    taught = max(-most, min(most, error)) * certainty
    unexplained = error * error - (total - known.noise * stretch.passed)
    noise = known.noise * (1 - _fading(stretch)) + unexplained / (stretch.passed + _NOISE_S)
    return _moved(known, spread, stretch.passed, (taught, certainty, max(0.0, noise)))


def accepted(known: Learnt, room: float, stretch: Stretch) -> tuple[Learnt, float]:
    """After the level was at most `room` above where it is believed; and by how much to move it.

    What is left of a normal distribution that was cut off has its mean below that of the whole.
    An acceptance is no sign of noise.
    """
    spread = _spread(known, stretch)
    deviation = sqrt(spread[0])
    if spread[0] <= _NOTHING or room > _SURE * deviation:
        return known, min(0.0, room)
    z = max(-_SURE, room / deviation)
    ratio = exp(-z * z / 2) / sqrt(2 * pi) / (erfc(-z / sqrt(2)) / 2)
    by = -deviation * ratio
    move = by, ratio * (ratio + z), known.noise * (1 - _fading(stretch))
    return _moved(known, spread, stretch.passed, move), min(by, room)


#: The level's variance now, and its covariance with scale and pace.
_Spread = tuple[float, float, float]


def _spread(known: Learnt, stretch: Stretch) -> _Spread:
    _, _, ll, ls, lp, ss, sp, pp, noise = known
    a, d = stretch.taken, -stretch.drained
    level = ll + a * ls + d * lp
    scale = ls + a * ss + d * sp
    pace = lp + a * sp + d * pp
    variance = level + a * scale + d * pace + noise * stretch.passed
    return max(0.0, variance), scale, pace


def _fading(stretch: Stretch) -> float:
    return stretch.passed / (stretch.passed + _NOISE_S)


def _moved(
    known: Learnt, spread: _Spread, passed: float, move: tuple[float, float, float]
) -> Learnt:
    """The level is `by` higher than believed; `certainty` is the part of its variance that goes."""
    variance, by_scale, by_pace = spread
    by, certainty, noise = move
    if variance <= _NOTHING:
        return known._replace(noise=noise)
    scale, pace, _, _, _, ss, sp, pp, _ = known
    share, removed = by / variance, certainty / variance
    left = 1 - certainty
    drift = _DRIFT * _DRIFT * passed / _HOUR
    return Learnt(
        _within(scale + by_scale * share),
        _within(pace + by_pace * share),
        variance * left,
        by_scale * left,
        by_pace * left,
        ss - by_scale * by_scale * removed + drift * scale * scale,
        sp - by_scale * by_pace * removed,
        pp - by_pace * by_pace * removed + drift * pace * pace,
        noise,
    )


def is_learnable(value: float) -> bool:
    """Whether a scale or a pace can come out as this."""
    return _LEAST <= value <= _MOST


def _within(value: float) -> float:
    return min(_MOST, max(_LEAST, value))
