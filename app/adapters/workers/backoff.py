"""How long to wait before something that ended is started again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

FIRST_S: Final = 0.2
MOST_S: Final = 30.0
#: Beyond this the power says nothing any more.
_MOST_DOUBLINGS: Final = 32


@dataclass(frozen=True, slots=True)
class Backoff:
    """Twice as long after each failure in a row, up to a bound; half of it is chance.

    `draw` gives a number from 0 to 1: several that fail together do not come back together.
    """

    draw: Callable[[], float]
    first_s: float = FIRST_S
    most_s: float = MOST_S

    def pause_s(self, failures: int) -> float:
        """Seconds after so many failures in a row, at least one."""
        doubled = 2.0 ** min(failures - 1, _MOST_DOUBLINGS)
        longest = min(self.most_s, self.first_s * doubled)
        return longest * (1 + self.draw()) / 2
