"""A caller's own limits as OpenAI's `x-ratelimit-*` headers.

Of several limits on requests (or tokens) the one with the least left is shown, as it is the one
that will refuse first. `reset` is when all of it is free again at the latest (OpenAI: rate limits,
"Rate limits in headers").
"""

from __future__ import annotations

from collections.abc import Iterable

from app.domain.quota.limit import Kind, Limit, Measure

_SECOND_MS = 1000
_SHOWN = (Measure.REQUESTS, Measure.TOKENS)


def rate_limit_headers(left: Iterable[tuple[Limit, int]]) -> dict[str, str]:
    """The headers for these limits and what is left of each; budgets are not rate limits."""
    windows = [(limit, max(0, rest)) for limit, rest in left if limit.kind is Kind.WINDOW]
    headers: dict[str, str] = {}
    for measure in _SHOWN:
        tightest = min(
            (pair for pair in windows if pair[0].measure is measure),
            key=lambda pair: pair[1],
            default=None,
        )
        if tightest is not None:
            headers |= _headers(measure.value, *tightest)
    return headers


def _headers(name: str, limit: Limit, rest: int) -> dict[str, str]:
    reset_ms = 0 if rest >= limit.amount else limit.window_ms
    return {
        f"x-ratelimit-limit-{name}": str(limit.amount),
        f"x-ratelimit-remaining-{name}": str(rest),
        f"x-ratelimit-reset-{name}": duration(reset_ms),
    }


def duration(milliseconds: int) -> str:
    """A time as OpenAI writes it: `6m0s`, `1s`, `20ms`."""
    if milliseconds and milliseconds < _SECOND_MS:
        return f"{milliseconds}ms"
    minutes, seconds = divmod(-(-milliseconds // _SECOND_MS), 60)
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
