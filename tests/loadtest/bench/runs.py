"""Raw results as a run leaves them, with the figures that a test is about."""

from __future__ import annotations

from typing import Any

from loadtest.bench.results import About, Run
from loadtest.bench.turn import TurnFound

NAMES = ("direct", "envoy", "spillgate", "portkey", "litellm")


def turn(
    contender: str, number: int = 0, *, differs: list[str] | None = None, **lanes: Any
) -> TurnFound:
    """One turn; `differs` for one that counts itself."""
    agreement = None if differs is None else {"differs": differs}
    return TurnFound(contender, number, lanes, agreement, rss_mb=90.0)


def run(*turns: TurnFound, **left_out: str) -> Run:
    """A run of these turns."""
    return Run(
        began="2026-11-21 12:00:00+00:00",
        seconds=5.0,
        rounds=1 + max((each.round for each in turns), default=0),
        machine={"cores": 2},
        contenders={name: About(name.title(), "does", "1.0", {"file": "a: b"}) for name in NAMES},
        left_out=left_out,
        turns=list(turns),
    )
