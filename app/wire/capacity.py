"""What an answer's headers say about the capacity of the deployment that gave it.

Azure: `azure-openai-deployment-utilization` on provisioned deployments ("87.4%", at times empty),
`x-ratelimit-*` on others, where -1 is not a number of anything (quota page, 2026-09, and recorded
answers). OpenAI gives durations such as `17ms`. Header names are lower case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from math import inf
from typing import Final

from app.domain.capacity.capacity import CapacityTold, WindowTold
from app.domain.capacity.wait import Wait

_UTILIZATION: Final = "azure-openai-deployment-utilization"
#: Of each counter, the headers that tell its limit, what is left, and when it begins anew.
_WINDOWS: Final = tuple(
    (unit, *(f"x-ratelimit-{what}-{unit}" for what in ("limit", "remaining", "reset")))
    for unit in ("tokens", "requests")
)
_TELLING: Final = frozenset({_UTILIZATION, *(name for _, *names, _ in _WINDOWS for name in names)})
_MILLISECOND: Final = 0.001
_NOTHING: Final = CapacityTold()
_DURATION: Final = re.compile(r"(?:(\d{1,6})m(?!s))?(?:(\d{1,6}(?:\.\d{1,6})?)(ms|s))?\Z")
_PERCENT: Final = re.compile(r" *([0-9]{1,6}(?:\.[0-9]{1,9})?) *%? *", re.ASCII)
#: A full PTU takes one request of any size more; beyond five times its depth it is a mistake.
_MOST_UTILIZATION: Final = 5.0
_LONGEST_TEXT: Final = 16


def capacity_told(headers: Mapping[str, str]) -> CapacityTold:
    """What can be used of it; what is missing or unreadable is not told."""
    if _TELLING.isdisjoint(headers):
        return _NOTHING
    said = headers.get(_UTILIZATION)
    utilization = _percent(said) if said else None
    windows = {}
    for unit, of_limit, of_remaining, of_reset in _WINDOWS:
        limit, remaining = headers.get(of_limit), headers.get(of_remaining)
        if limit or remaining:
            reset = headers.get(of_reset)
            windows[unit] = WindowTold(
                _limit(limit) if limit else None,
                _count(remaining) if remaining else None,
                _seconds(reset) if reset else None,
            )
    if utilization is None and not windows:
        return _NOTHING
    return CapacityTold(utilization, windows)


def wait_told(seconds: float | None, headers: Mapping[str, str]) -> Wait | None:
    """A refusal's wait, and how finely it was told: whole seconds may have been rounded up."""
    if seconds is None:
        return None
    exact = "retry-after-ms" in headers and seconds != int(seconds)
    return Wait(seconds, _MILLISECOND if exact else 1.0)


def _percent(text: str) -> float | None:
    found = _PERCENT.fullmatch(text[:_LONGEST_TEXT])
    value = float(found[1]) / 100 if found else inf
    return value if value <= _MOST_UTILIZATION else None


@lru_cache(maxsize=1024)
def _limit(text: str) -> int | None:
    """A deployment says the same with every answer. None of all is no limit."""
    return _count(text) or None


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < _LONGEST_TEXT else None


def _seconds(text: str) -> float | None:
    """`10` and `10s` are seconds, `17ms` and `1m30s` what they say."""
    if (count := _count(text)) is not None:
        return float(count)
    found = _DURATION.match(text[:_LONGEST_TEXT]) if text else None
    if found is None:
        return None
    minutes, amount, unit = found.groups()
    seconds = float(amount or 0) * (_MILLISECOND if unit == "ms" else 1.0)
    return 60.0 * int(minutes or 0) + seconds
