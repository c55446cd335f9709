"""What a probe found, as lines."""

from __future__ import annotations

from collections.abc import Iterable

from app.planner.probing.finding import Finding, State

#: Something that a config names cannot be used as it is.
UNUSABLE = 1


def lines(found: Iterable[Finding]) -> list[str]:
    """One for each finding, with its place first."""
    return [f"{each.state}: {each.place}: {each.what}{_took(each.seconds)}" for each in found]


def exit_code(found: Iterable[Finding]) -> int:
    """0 where nothing failed; warnings do not count."""
    return UNUSABLE if any(each.state is State.FAILED for each in found) else 0


def _took(seconds: float | None) -> str:
    return "" if seconds is None else f" ({seconds * 1000:.0f} ms)"
