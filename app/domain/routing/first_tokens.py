"""How long deployments lately took until the first content of a stream, by the size of prompts."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

#: Of one deployment and one size of prompts.
_KEPT: Final = 256
_KEPT_S: Final = 600.0
#: Fewer say nothing of what is usual.
_LEAST: Final = 20

Row = deque[tuple[float, float]]


class FirstTokens:
    """Of one process; what is older than ten minutes is forgotten."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, int], Row] = {}

    def add(self, deployment: str, prompt: int, seconds: float, now: float) -> None:
        """A stream's first content came after `seconds`, or had not come by then.

        One that was given up counts with the time that it had: left out, it would make what is
        usual look shorter, and ever more would be given up.
        """
        row = self._rows.setdefault(_place(deployment, prompt), deque(maxlen=_KEPT))
        row.append((now, seconds))

    def quantile(self, deployment: str, prompt: int, part: float, now: float) -> float | None:
        """The time in which this part (0 to 1) of like-sized prompts had begun; None: not known."""
        row = self._rows.get(_place(deployment, prompt))
        while row and row[0][0] <= now - _KEPT_S:
            row.popleft()
        if not row or len(row) < _LEAST:
            return None
        return sorted(seconds for _, seconds in row)[math.ceil(part * len(row)) - 1]


def _place(deployment: str, prompt: int) -> tuple[str, int]:
    """Sizes are alike within a factor of four."""
    return deployment, prompt.bit_length() // 2
