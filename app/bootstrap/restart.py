"""What of a configuration waits for the next start, where a reload changes it."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel

from app.bootstrap.tracing import READ_AT_START as TRACING_READ_AT_START
from app.settings import Settings

_SECTIONS_READ_AT_START: Final = (
    "listen", "redis", "ledger", "budgets", "keys", "metrics", "usage_export", "anomalies",
)  # fmt: skip
_TIMEOUTS_READ_AT_START: Final = ("timeouts.header_s", "timeouts.keep_alive_s")
_LIMITS_READ_AT_START: Final = ("limits.max_connections",)
_CACHE_READ_AT_START: Final = ("cache.embedder", "cache.comparator")
#: Paths of all that a reload does not bring: whole sections, and parts of others.
READ_AT_START: Final = frozenset(
    {
        *_SECTIONS_READ_AT_START,
        *_TIMEOUTS_READ_AT_START,
        *_LIMITS_READ_AT_START,
        *TRACING_READ_AT_START,
        *_CACHE_READ_AT_START,
    }
)


def waiting_for_restart(
    before: Settings, after: Settings, opened_with: Settings | None
) -> list[str]:
    """Paths of what is read at the start alone, and is not what it was then.

    Of the semantic cache it is what it was opened with, None where it was not.
    """
    sections = [
        (name, getattr(before, name), getattr(after, name)) for name in _SECTIONS_READ_AT_START
    ]
    waiting = [path for section in sections for path in _differing(*section)]
    timeouts = _differing("timeouts", before.timeouts, after.timeouts)
    waiting += [path for path in timeouts if path in _TIMEOUTS_READ_AT_START]
    limits = _differing("limits", before.limits, after.limits)
    waiting += [path for path in limits if path in _LIMITS_READ_AT_START]
    traces = _differing("tracing", before.tracing, after.tracing)
    waiting += [path for path in traces if path in TRACING_READ_AT_START]
    caches = _differing("cache", (opened_with or after).cache, after.cache)
    return waiting + [path for path in caches if path in _CACHE_READ_AT_START]


def _differing(path: str, before: BaseModel | None, after: BaseModel | None) -> list[str]:
    """Paths of the fields that differ; of the section, where it is on one side only."""
    if before is None or after is None:
        return [path] if before is not after else []
    names = type(before).model_fields
    return [f"{path}.{name}" for name in names if getattr(before, name) != getattr(after, name)]
