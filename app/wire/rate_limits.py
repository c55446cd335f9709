"""A caller's own limits as OpenAI's `x-ratelimit-*` headers.

Of several limits on requests (or tokens) the one with the least left is shown, as it is the one
that will refuse first. `reset` is when all of it is free again at the latest (OpenAI: rate limits,
"Rate limits in headers").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from app.domain.quota.limit import Kind, Limit, Measure

_SECOND_MS = 1000
_SHOWN: Final = (Measure.REQUESTS, Measure.TOKENS)
#: Limits that are remembered with what is said of them.
_REMEMBERED: Final = 4096


class _Row(msgspec.Struct, frozen=True):
    """One limit on a rate: its place among all, and its headers, in case some of it is used."""

    place: int
    amount: int
    of_rest: str
    of_reset: str
    said: dict[str, str]


#: Those on requests, those on tokens.
_Rows = tuple[tuple[_Row, ...], ...]


class RateLimits:
    """Says what is left; the limits of a key for a model are the same in request after request.

    They are told apart by being themselves, which takes no time.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[tuple[Limit, ...], _Rows]] = {}

    def add(
        self, headers: dict[str, str], limits: tuple[Limit, ...], left: tuple[int, ...]
    ) -> None:
        """Put into `headers` what is left of the limits; where that is not known, nothing."""
        known = self._known.get(id(limits))
        if known is None or known[0] is not limits:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[id(limits)] = limits, _rows(limits)
        if len(left) == len(limits):
            _add(headers, known[1], left)


def rate_limit_headers(left: Iterable[tuple[Limit, int]]) -> dict[str, str]:
    """The headers for these limits and what is left of each; budgets are not rate limits."""
    headers: dict[str, str] = {}
    pairs = list(left)
    _add(headers, _rows([limit for limit, _ in pairs]), [rest for _, rest in pairs])
    return headers


def _add(headers: dict[str, str], rows: _Rows, left: Sequence[int]) -> None:
    for alike in rows:
        row = alike[0] if len(alike) == 1 else min(alike, key=lambda each: left[each.place])
        rest = left[row.place]
        headers.update(row.said)
        headers[row.of_rest] = str(rest) if rest > 0 else "0"
        if rest >= row.amount:
            headers[row.of_reset] = "0s"


def _rows(limits: Sequence[Limit]) -> _Rows:
    rates = [(index, each) for index, each in enumerate(limits) if each.kind is Kind.WINDOW]
    by_measure = (
        tuple(_row(index, each) for index, each in rates if each.measure is measure)
        for measure in _SHOWN
    )
    return tuple(alike for alike in by_measure if alike)


def _row(place: int, limit: Limit) -> _Row:
    of_limit, of_rest, of_reset = (
        f"x-ratelimit-{what}-{limit.measure}" for what in ("limit", "remaining", "reset")
    )
    said = {of_limit: str(limit.amount), of_rest: "", of_reset: duration(limit.window_ms)}
    return _Row(place, limit.amount, of_rest, of_reset, said)


@lru_cache(maxsize=256)
def duration(milliseconds: int) -> str:
    """A time as OpenAI writes it: `6m0s`, `1s`, `20ms`."""
    if milliseconds and milliseconds < _SECOND_MS:
        return f"{milliseconds}ms"
    minutes, seconds = divmod(-(-milliseconds // _SECOND_MS), 60)
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
