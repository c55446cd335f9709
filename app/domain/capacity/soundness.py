"""Whether what another replica tells can be true.

Whoever can write to Redis, and another version or a mistake of ours, may tell anything. What is
taken in stays: a pace of nothing would be an error for each request of the model, and an infinite
level an end to all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Final

from app.domain.capacity.calibration import Learnt, is_learnable
from app.domain.capacity.peers import DeploymentNews
from app.domain.capacity.refusals import Waits
from app.domain.capacity.shares import Claim

#: Of all that was ever taken: floats count tokens exactly so far.
_MOST_EVER: Final = 1e15
#: Between two messages.
_MOST_AT_ONCE: Final = 1e9
#: Sixtieths of a bucket: prompts and caps of a million tokens fill a small PTU's many times.
_MOST_LEVEL: Final = 1e6
_MOST_VARIANCE: Final = 1e12
#: A variance that is nothing may come out a little below.
_ROUNDING: Final = 1e-6
_LONGEST_WAIT_S: Final = 3600.0
_MOST_WEIGHT: Final = 1e6


def unsound(news: DeploymentNews) -> str | None:
    """What of it cannot be; None where all can."""
    sound = {
        "totals": _within([news.total, news.returned, *news.heard.values()], _MOST_EVER)
        and news.returned >= 0,
        "amounts": _within([news.fresh, news.calls, *news.taken.values()], _MOST_AT_ONCE)
        and news.calls >= 0,
        "claims": all(map(_is_claim, news.asked)),
        "age": news.age_s is None or 0 <= news.age_s <= _MOST_EVER,
        "waits": news.waits is None or _is_wait(news.waits),
        "belief": news.belief is None
        or (_is_level(news.belief.level) and _is_learnt(news.belief.learnt)),
    }
    return next((part for part, is_sound in sound.items() if not is_sound), None)


def _within(values: Iterable[float], most: float) -> bool:
    return all(abs(value) <= most for value in values)


def _is_claim(claim: Claim) -> bool:
    return 0 <= claim.guarantee <= 1 and 0 < claim.weight <= _MOST_WEIGHT


def _is_wait(waits: Waits) -> bool:
    return waits.due <= waits.told <= _LONGEST_WAIT_S and isfinite(waits.due)


def _is_level(level: float) -> bool:
    return 0 <= level <= _MOST_LEVEL


def _is_learnt(learnt: Learnt) -> bool:
    variances = (learnt.ll, learnt.ss, learnt.pp, learnt.noise)
    return (
        is_learnable(learnt.scale)
        and is_learnable(learnt.pace)
        and _within(learnt, _MOST_VARIANCE)
        and all(variance >= -_ROUNDING for variance in variances)
    )
