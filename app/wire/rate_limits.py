"""A caller's own limits as OpenAI's `x-ratelimit-*` headers.

Of several limits on requests (or tokens) the one with the least left is shown, as it is the one
that will refuse first. `reset` is when all of it is free again at the latest (OpenAI: rate limits,
"Rate limits in headers").
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from app.domain.quota.limit import Kind, Limit, Measure

_SECOND_MS = 1000


def rate_limit_headers(left: Iterable[tuple[Limit, int]]) -> dict[str, str]:
    """The headers for these limits and what is left of each; budgets are not rate limits."""
    headers: dict[str, str] = {}
    add_rate_limits(headers, left)
    return headers


def add_rate_limits(headers: dict[str, str], left: Iterable[tuple[Limit, int]]) -> None:
    """Put the same into headers that there are."""
    requests: tuple[Limit, int] | None = None
    tokens: tuple[Limit, int] | None = None
    for each in left:
        limit, rest = each
        if limit.kind is not Kind.WINDOW:
            continue
        if limit.measure is Measure.REQUESTS:
            if requests is None or rest < requests[1]:
                requests = each
        elif limit.measure is Measure.TOKENS and (tokens is None or rest < tokens[1]):
            tokens = each
    if requests is not None:
        _add(headers, _REQUESTS, *requests)
    if tokens is not None:
        _add(headers, _TOKENS, *tokens)


def _names(measure: Measure) -> tuple[str, str, str]:
    name = measure.value
    return f"x-ratelimit-limit-{name}", f"x-ratelimit-remaining-{name}", f"x-ratelimit-reset-{name}"


_REQUESTS: Final = _names(Measure.REQUESTS)
_TOKENS: Final = _names(Measure.TOKENS)


def _add(headers: dict[str, str], names: tuple[str, str, str], limit: Limit, rest: int) -> None:
    of_limit, of_rest, of_reset = names
    headers[of_limit] = str(limit.amount)
    headers[of_rest] = str(max(0, rest))
    headers[of_reset] = duration(0 if rest >= limit.amount else limit.window_ms)


@lru_cache(maxsize=256)
def duration(milliseconds: int) -> str:
    """A time as OpenAI writes it: `6m0s`, `1s`, `20ms`."""
    if milliseconds and milliseconds < _SECOND_MS:
        return f"{milliseconds}ms"
    minutes, seconds = divmod(-(-milliseconds // _SECOND_MS), 60)
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
